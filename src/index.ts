/**
 * The public names of `trunkline`: what a configuration file imports.
 *
 * @module
 */
export { defineConfig } from './config/config.ts'
export type { FileSinkInput, HttpSinkInput, OrderBy, RouteInput, TrunklineConfig } from './config/config.ts'

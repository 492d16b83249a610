import { existsSync, readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { KNOWN_TOPICS } from '../event/known-topics.ts'
import type { TrunklineError } from '../errors.ts'
import { nearestTopics, templateOf } from '../event/topics.ts'
import { hostsAt, regionOf } from '../genesys/regions.ts'
import type { ConfigError } from './errors.ts'
import { importFile } from './import-file.ts'
import type { ConfigFlags } from './reading.ts'
import { resolveConfig, type ConfigResult } from './resolve.ts'

/**
 * Finds, imports and resolves the configuration. A configuration file is code: only verbs that run or build
 * something may call this.
 */

/** File names looked for, in this order. */
export const CONFIG_FILES: readonly string[] = ['ts', 'mts', 'js', 'mjs', 'json'].map((ending) => `trunkline.config.${ending}`)

export type LoadOptions = {
  /** Absolute path of the folder the process works in. */
  readonly cwd: string
  /** Configuration file, relative to `cwd`; goes before `flags.config` and TRUNKLINE_CONFIG. It must exist. */
  readonly file?: string | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  readonly flags?: ConfigFlags
  /** A file that an option names and that is missing is an error. A service does without until it is there. */
  readonly mustExist?: boolean
}

/** The effective configuration, or every error found; it rejects for nothing that a user can do. */
export async function loadConfig(options: LoadOptions): Promise<ConfigResult> {
  const { cwd, env, flags = {} } = options
  const named = [options.file, flags.config, env['TRUNKLINE_CONFIG']].find((file) => file !== undefined && file !== '')
  const present =
    named === undefined ? CONFIG_FILES.map((name) => join(cwd, name)).filter((path) => existsSync(path)) : [resolve(cwd, named)]
  const file = present[0] ?? null
  const imported = file === null ? { exported: {} } : await importFile(file)
  if ('error' in imported) return { errors: [imported.error], warnings: [] }
  const result = resolveConfig(imported.exported, {
    file,
    cwd,
    env,
    flags,
    readFile: (path) => readFileSync(path, 'utf8'),
    ...(options.mustExist === true ? { fileExists: (path) => existsSync(path) && statSync(path).isFile() } : {}),
    knownTopics: KNOWN_TOPICS,
    nearestTopics,
    topicTemplateOf: (name) => templateOf(name).topic,
    placeProblem,
  })
  return file === null || present.length < 2 ? result : { ...result, warnings: [severalFiles(file, present), ...result.warnings] }
}

function placeProblem(place: { readonly region: string } | { readonly baseUrl: string }): { message: string; hint: string } | null {
  try {
    if ('region' in place) regionOf(place.region)
    else hostsAt(place.baseUrl)
    return null
  } catch (error) {
    const { message, hint } = error as TrunklineError
    return { message, hint }
  }
}

function severalFiles(file: string, present: readonly string[]): ConfigError {
  const message = `Only this file is used; beside it lie ${present.slice(1).join(', ')}.`
  return { code: 'config.several_files', file, path: '', message, hint: 'Remove the others, or name one with --config.' }
}

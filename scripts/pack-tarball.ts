/**
 * Packs the package from a copy of the tree, so that the package.json of the tree is never rewritten under somebody's
 * hands. npm runs prepack and postpack there as for a release; only the set-up is left out (the copy borrows node_modules).
 */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const TO_COPY = ['bin', 'src', 'scripts', 'package.json', 'tsconfig.json', 'tsconfig.build.json', 'LICENSE', 'README.md']

export type Packed = { readonly tarball: string; readonly copy: string }

/** Makes the tarball below `folder` (made when absent) and says where it and the copy it was made from are. */
export function packTarball(folder: string): Packed {
  const copy = join(folder, 'tree')
  mkdirSync(copy, { recursive: true })
  for (const name of TO_COPY) if (existsSync(join(ROOT, name))) cpSync(join(ROOT, name), join(copy, name), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'))
  // `npm ci` would empty the node_modules that the link points to.
  writeFileSync(join(copy, 'scripts/setup.js'), '')
  runOrThrow('npm', ['pack', '--pack-destination', folder, '--loglevel=error'], copy)
  const name = readdirSync(folder).find((file) => file.endsWith('.tgz'))
  if (name === undefined) throw new Error(`npm pack made no tarball in ${folder}`)
  return { tarball: join(folder, name), copy }
}

/** The environment in which `node` is the one that runs this, also for npm and npx. */
export function withThisNode(): NodeJS.ProcessEnv {
  // Set inside npm scripts; an npm started from one would take this project for its own.
  const { npm_config_local_prefix: _, ...env } = process.env
  return { ...env, PATH: [join(ROOT, 'node_modules/.bin'), env['PATH'] ?? ''].join(delimiter) }
}

/** Runs a command to its end and gives its stdout; a non-zero exit throws with everything it printed. */
export function runOrThrow(command: string, args: readonly string[], cwd: string): string {
  const run = spawnSync(command, args, { cwd, encoding: 'utf8', env: withThisNode(), maxBuffer: 64 * 1024 * 1024 })
  if (run.error !== undefined) throw run.error
  if (run.status !== 0)
    throw new Error(`${[command, ...args].join(' ')} ended with ${run.status ?? run.signal}\n${run.stdout}${run.stderr}`)
  return run.stdout
}

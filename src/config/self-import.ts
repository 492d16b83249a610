import { readFileSync } from 'node:fs'

/**
 * Lets a configuration file say `import { defineConfig } from 'trunkline'` where the package is not in reach of that
 * file: started with npx, installed globally, or run from a clone. Used only when normal resolution fails, so that a
 * package in the user's own node_modules always wins.
 */

const NAME = 'trunkline'

export function isSelfImport(specifier: string): boolean {
  return specifier === NAME || specifier.startsWith(`${NAME}/`)
}

/**
 * The module of this package behind `trunkline` or `trunkline/<subpath>`; null when the package exports no such thing.
 * `here` is the URL of a module in the `config` folder: below `src` (a clone, .ts) or below `dist` (published, .js).
 */
export function selfImport(specifier: string, here: string): string | null {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', here), 'utf8'))
  const target = exportTarget(manifest, `.${specifier.slice(NAME.length)}`)
  if (target === null || !target.startsWith('./dist/')) return null
  const module = target.slice('./dist/'.length)
  return new URL(here.endsWith('.ts') ? `../${module.replace(/\.js$/, '.ts')}` : `../${module}`, here).href
}

function exportTarget(manifest: unknown, subpath: string): string | null {
  const entry = field(field(manifest, 'exports'), subpath)
  const target = typeof entry === 'string' ? entry : field(entry, 'default')
  return typeof target === 'string' ? target : null
}

function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? new Map<string, unknown>(Object.entries(value)).get(key) : undefined
}

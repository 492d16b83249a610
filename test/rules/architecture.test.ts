/** The import table of docs/architecture.md holds for src; and the rules that say so do find what they are for. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { breaches, readRules, type Rules } from './_architecture.ts'
import { importsOf } from './_source.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const PAGE = readFileSync(`${ROOT}docs/architecture.md`, 'utf8')

test('src keeps to the tables of docs/architecture.md', () => {
  const files = readdirSync(`${ROOT}src`, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
  assert.ok(files.length > 50, 'the sources were found')
  const sources = new Map(files.map((file) => [file.replaceAll('\\', '/'), readFileSync(`${ROOT}src/${file}`, 'utf8')]))
  assert.deepEqual(breaches(readRules(PAGE), sources), [])
})

test('an import that the row of its folder does not name is found, with file, line and rule', () => {
  assert.deepEqual(broken({ 'core/a.ts': "// why\nimport { b } from '../edge/b.ts'\n", 'edge/b.ts': '' }), [
    "src/core/a.ts:2 imports '../edge/b.ts': core may import only its own folder, node:crypto, edge/port.ts (types)",
  ])
})

test('every way to import counts', () => {
  const ways = [
    "import '../edge/b.ts'",
    "import * as b from '../edge/b.ts'",
    "import {\n  x,\n  type Y,\n} from '../edge/b.ts'",
    "import b, { c } from '../edge/b.ts'",
    "export * from '../edge/b.ts'",
    "export { x } from '../edge/b.ts'",
    "import type { X } from '../edge/b.ts'",
    "export type { X } from '../edge/b.ts'",
    "const b = await import('../edge/b.ts')",
    "const b = await import(\n  '../edge/b.ts')",
    "new Worker(new URL('../edge/b.ts', import.meta.url))",
    "type B = import('../edge/b.ts').B",
    'const t = `${await import("../edge/b.ts")}`',
  ]
  for (const way of ways) assert.equal(broken({ 'core/a.ts': `${way}\n`, 'edge/b.ts': '' }).length, 1, way)
})

test('comments, strings, templates and regular expressions import nothing', () => {
  const text = [
    "// import '../edge/b.ts'",
    "/** import { x } from '../edge/b.ts' */",
    'const a = "import \'../edge/b.ts\'"',
    "const b = `import { x } from '../edge/b.ts' ${a} import '../edge/b.ts'`",
    "const c = /import '..\\/edge[/`]b.ts'/.test(a) ? 1 / 2 : 3",
    "export const d = importOf('../edge/b.ts')",
  ].join('\n')
  assert.deepEqual(importsOf(text), [])
})

test('an import after a template, a regular expression or a nested brace is still seen', () => {
  const text = "const a = `x ${{ y: `}` }.y} /*`; const b = /[`'\"]/g\nimport type { c } from './c.ts'"
  assert.deepEqual(importsOf(text), [{ specifier: './c.ts', type: true, line: 2 }])
})

test('a port may be imported as a type only', () => {
  const port = { 'edge/port.ts': '' }
  assert.deepEqual(broken({ ...port, 'core/a.ts': "import type { Port } from '../edge/port.ts'" }), [])
  assert.match(
    broken({ ...port, 'core/a.ts': "import { port } from '../edge/port.ts'" }).join(),
    /core may import only types of edge\/port\.ts/,
  )
  // Stays an import at run time: only the name is erased.
  assert.equal(broken({ ...port, 'core/a.ts': "import { type Port } from '../edge/port.ts'" }).length, 1)
})

test('modules of Node and packages need to be named too', () => {
  assert.deepEqual(broken({ 'core/a.ts': "import 'node:crypto'", 'edge/b.ts': "import 'node:fs/promises'\nimport 'left/pad'" }), [])
  assert.equal(broken({ 'core/a.ts': "import 'node:fs'" }).length, 1)
  assert.equal(broken({ 'edge/b.ts': "import 'left-pad'" }).length, 1)
})

test('what must not be loaded is found through other files, and the way to it is shown', () => {
  const sources = {
    'edge/light/entry.ts': "import { b } from '../../core/a.ts'",
    'core/a.ts': "import { c } from './c.ts'",
    'core/c.ts': "import 'node:crypto'",
  }
  const found = broken(sources, { unreachable: '| `edge/light` | `node:crypto` |' })
  assert.deepEqual(found, ['src/edge/light must not load node:crypto, but does: edge/light/entry.ts > core/a.ts > core/c.ts > node:crypto'])
  const typed = { ...sources, 'core/a.ts': "import type { c } from './c.ts'" }
  assert.deepEqual(broken(typed, { unreachable: '| `edge/light` | `node:crypto` |' }), [])
})

test('the row with the longest fitting path is the one that counts', () => {
  assert.equal(broken({ 'edge/light/entry.ts': "import 'node:fs'" }, { unreachable: '' }).length, 1)
  assert.deepEqual(broken({ 'edge/b.ts': "import 'node:fs'\nimport './light/entry.ts'" }), [])
  assert.equal(broken({ 'edge/light/entry.ts': "import '../b.ts'" }).length, 1, 'the folder above is not its own')
})

test('words are found in code only, and not as a method of something else', () => {
  const used = [
    'const t = Date.now()',
    'const t = Date\n  .now()',
    'const t = globalThis.setTimeout(f, 1)',
    'const t = new Date()',
    'const t = `${Date.now()}`',
    "import { setTimeout } from './x.ts'",
  ]
  for (const text of used) assert.equal(broken({ 'core/a.ts': text }).length, 1, text)
  const fine = [
    '// Date.now()',
    "const t = 'Date.now()'",
    'request.setTimeout(1)',
    'new Date(0)',
    'setTimeoutMs(1)',
    'myDate.now()',
    '`Date.now`',
  ]
  for (const text of fine) assert.deepEqual(broken({ 'core/a.ts': text }), [], text)
  assert.deepEqual(broken({ 'edge/b.ts': 'Date.now()' }), [])
})

test('a folder without a row and a row without a folder are both wrong', () => {
  const found = breaches(rulesWith({}), new Map([['new/a.ts', '']]))
  assert.ok(found.includes('src/new has no row in the import table of docs/architecture.md'))
  assert.ok(found.includes('docs/architecture.md has a row for src/core, which does not exist'))
})

/** What is wrong with `sources`, apart from rows that they leave empty. */
function broken(sources: Readonly<Record<string, string>>, more: { unreachable?: string } = {}): string[] {
  return breaches(rulesWith(more), new Map(Object.entries(sources))).filter((text) => !text.endsWith('does not exist'))
}

function rulesWith({ unreachable = '' }: { unreachable?: string }): Rules {
  return readRules(`
<!-- imports:begin -->
| In | May import |
|---|---|
| \`core\` | \`node:crypto\` \`edge/port.ts\` (types) |
| \`edge\` | \`core\` \`node:*\` \`left\` |
| \`edge/light\` | \`core\` |
<!-- imports:end -->
<!-- unreachable:begin -->
${unreachable}
<!-- unreachable:end -->
<!-- words:begin -->
| \`Date.now\` \`setTimeout\` \`new Date()\` | \`edge\` |
<!-- words:end -->`)
}

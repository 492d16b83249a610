/** The reference pages against the code: none of them may lack something, or name something that is gone. */
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { CLI_PAGE, renderCliReference } from '../../scripts/gen-cli-reference.ts'
import { DURABLE_STEPS } from '../../src/diagnostics/step.ts'
import { decode } from '../../src/event/decode.ts'
import { REGIONS } from '../../src/genesys/regions.ts'
import { ROOT, blocksOf, noteOf, placeOf, read } from './_pages.ts'

const SOURCES = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .filter(
    (path) => path.endsWith('.ts') && !path.endsWith('.test.ts') && !/(?:^|\/)_/.test(path) && !/^(?:testing|bench|simulator)\//.test(path),
  )
  .map((path) => readFileSync(join(ROOT, 'src', path), 'utf8').replaceAll(/\/\*[\s\S]*?\*\//g, ''))

/** Texts in the source that look like codes and are none: files, option paths, ends of topics, names of sources and channels. */
const NO_CODES: ReadonlySet<string> = new Set([
  ...DURABLE_STEPS,
  ...['trunkline.json', 'ledger.db', 'limits.db', 'lock.db', 'state.db', 'token.sha256', 'trunkline.step', 'http.host', 'http.port'],
  ...[
    'genesys.notifications',
    'genesys.budget',
    'channel.metadata',
    'module.exports',
    'schema.version',
    'schema.policy',
    'route.limit',
    'limit.limits',
    'priority.rules',
  ],
  ...['customer', 'flow', 'acd', 'user', 'voicemail'].flatMap((kind) => [`${kind}.start`, `${kind}.end`]),
  // How the API writes disconnect types.
  ...['conference', 'consult', 'forward', 'noanswer', 'notavailable', 'dnd'].map((kind) => `transfer.${kind}`),
  ...['endpoint.dnd', 'transport.failure', 'session.expired'],
  // Fields of event bodies.
  ...['queue.id', 'division.id'],
  ...['unknown_topic', 'topic_mismatch', 'changed_type', 'new_field', 'new_value'].map((drift) => `drift.${drift}`),
  ...REGIONS.map(({ domain }) => domain),
])

test('errors.md has every code of the source, and no other', () => {
  const used = new Set(SOURCES.flatMap((source) => [...source.matchAll(/['`"]([a-z_]+\.[a-z_-]+)['`"]/g)].map(([, code = '']) => code)))
  const codes = [...used].filter((code) => !NO_CODES.has(code))
  const page = read('docs/reference/errors.md')
  const configuration = read('docs/reference/configuration.md')
  const missing = codes.filter((code) => !page.includes(`\`${code}\``) && !configuration.includes(`\`${code}\``))
  assert.deepEqual(missing, [], 'describe these in docs/reference/errors.md (or add them to NO_CODES when they are no codes)')
  const areas = new Set(codes.map((code) => code.split('.')[0]))
  const onPage = [...page.matchAll(/^\| `([a-z_]+\.[a-z_-]+)` \|/gm)].map(([, code = '']) => code)
  assert.ok(onPage.length > 50)
  assert.deepEqual(
    onPage.filter((code) => !used.has(code) || !areas.has(code.split('.')[0])),
    [],
    'these are nowhere in the source',
  )
})

test('metrics.md has every metric, and no other', () => {
  const names = (text: string): string[] => [...new Set(text.match(/\btrunkline_[a-z_]+/g))].toSorted()
  const used = names(readFileSync(join(ROOT, 'src/hosts/metrics.ts'), 'utf8'))
  assert.ok(used.length > 10)
  assert.deepEqual(names(read('docs/reference/metrics.md')), used)
  const alerts = blocksOf('docs/how-to/run-in-production.md').filter(({ lang }) => lang === 'yaml')
  for (const { text } of alerts)
    for (const name of names(text)) assert.ok(used.includes(name), `the alerts use ${name}, which is not there`)
})

test('cli.md is what the command prints', async () => {
  assert.equal(readFileSync(CLI_PAGE, 'utf8'), await renderCliReference(), 'run: npm run reference')
})

test('formats.md: every example is the format it stands for', () => {
  const examples = blocksOf('docs/reference/formats.md').filter((block) => noteOf(block, 'format:') !== null)
  const shown = new Set(examples.map((block) => noteOf(block, 'format:')))
  assert.deepEqual(shown, new Set(['eventbridge', 'notification', 'eventbridge-dlq', 'custom-bus', 'webhook', 'change']))
  for (const block of examples) {
    const [first] = decode(Buffer.from(block.text), { maxBytes: 1_000_000, own: noteOf(block, 'format:') === 'change' })
    assert.ok(first?.ok === true, `${placeOf(block)} does not decode`)
    assert.equal(first.event.format, noteOf(block, 'format:'), placeOf(block))
    assert.notEqual(first.event.key, null, `${placeOf(block)}: an example should have an identity`)
  }
})

test('http-api.md has every address of the API', () => {
  const page = read('docs/reference/http-api.md')
  const routes = [...readFileSync(join(ROOT, 'src/hosts/api.ts'), 'utf8').matchAll(/app\.(get|post)\('([^']+)'/g)]
  assert.ok(routes.length > 8)
  for (const [, method = '', path = ''] of routes) {
    const address = `${method.toUpperCase()} ${path.replaceAll(/:(\w+)/g, '{$1}')}`
    const heading = new RegExp(`^## .*${address.replaceAll(/[{}/]/g, '\\$&')}(?:,|$)`, 'm')
    assert.match(page, heading, `http-api.md does not describe ${address}`)
  }
})

/** The example does what its page says, with the types and the sink that users get. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { loadConfig } from '../../src/config/load.ts'
import { dead, KEEP } from '../../src/pipeline/outcome.ts'
import { functionSink } from '../../src/sinks/function.ts'
import { eventOf } from '../../src/testing/event-of.ts'
import { handClock } from '../../src/testing/hand-clock.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const EXAMPLE = join(ROOT, 'examples/typed-function')

test('examples/typed-function tallies calls, and gives up what names no queue', async () => {
  const loaded = await loadConfig({ cwd: EXAMPLE, env: {}, flags: {} })
  assert.ok('config' in loaded, JSON.stringify(loaded))
  assert.deepEqual(loaded.warnings, [])
  const sinkConfig = loaded.config.routes[0]?.sink
  assert.ok(sinkConfig?.type === 'function')
  assert.equal(sinkConfig.module, join(EXAMPLE, 'answered.ts'))

  const printed: string[] = []
  const sink = functionSink({
    ...sinkConfig,
    clock: handClock(),
    warn: (code, message) => assert.fail(`${code}: ${message}`),
    onOutput: (_, line) => printed.push(line),
  })
  await sink.open(null)
  const bodies = [{ queueId: 'q', acdOutcome: 'ANSWERED' }, { queueId: 'q', acdOutcome: 'ABANDON' }, { acdOutcome: 'ANSWERED' }]
  const outcomes = []
  for (const eventBody of bodies) {
    const event = eventOf({ raw: Buffer.from(JSON.stringify({ detail: { eventBody } })) })
    outcomes.push(...(await sink.deliver([event], new AbortController().signal)))
  }
  while (printed.length < 2) await new Promise((resolve) => setImmediate(resolve))
  await sink.close()
  const last = outcomes.pop()
  assert.deepEqual(outcomes, [KEEP, KEEP])
  assert.ok(last?.type === 'dead')
  assert.deepEqual({ ...last, detail: null }, dead('sink.function_permanent'))
  assert.match(last.detail ?? '', /^Error: the event names no queue \(answered\.ts:/)
  assert.deepEqual(printed, ['queue q: 1 answered, 0 abandoned', 'queue q: 1 answered, 1 abandoned'])
})

test('its types are checked as they lie there, without a build', () => {
  const { status, stdout } = spawnSync(join(ROOT, 'node_modules/.bin/tsc'), ['-p', EXAMPLE], { encoding: 'utf8' })
  assert.deepEqual([status, stdout], [0, ''])
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decode, DEFAULT_MAX_BYTES } from '../event/decode.ts'
import type { DecodedEvent } from '../event/event.ts'
import type { Log } from '../log/log.ts'
import { playCalls } from './simulated-calls.ts'

/** The part of a log that is played into; stops the play when a call has come. */
function played(random: () => number, refuse = false): Promise<{ readonly events: readonly DecodedEvent[]; readonly tookMs: number }> {
  const stop = new AbortController()
  const events: DecodedEvent[] = []
  const startedAtMs = Date.now()
  const append: Pick<Log, 'append'>['append'] = (body) => {
    const [decoded] = decode(body, { maxBytes: DEFAULT_MAX_BYTES })
    assert.ok(decoded?.ok === true)
    events.push(decoded.event)
    if (decoded.event.topic.endsWith('.customer.start')) stop.abort()
    return refuse ? Promise.reject(new Error('full')) : Promise.resolve({ status: 202, body: '' })
  }
  return playCalls({ append } as Log, stop.signal, random).then(() => ({ events, tookMs: Date.now() - startedAtMs }))
}

test('a call comes within a moment, at the time of the clock, another one at every start', { timeout: 20_000 }, async () => {
  const startedAtMs = Date.now()
  const [one, other, refused] = await Promise.all([played(() => 0.1), played(() => 0.2), played(() => 0.3, true)])
  for (const { events, tookMs } of [one, other, refused]) {
    const call = events.at(-1)
    assert.equal(call?.topic, 'v2.detail.events.conversation.{id}.customer.start')
    // The first call comes after 200 ms and is told 250 to 400 ms later; the rest is the slack of a busy machine.
    assert.ok(tookMs >= 400 && tookMs < 5_000, `${tookMs} ms`)
    assert.ok(Math.abs((call?.occurredAtMs ?? 0) - startedAtMs) < 5_000)
  }
  assert.notEqual(one.events.at(-1)?.conversationId, other.events.at(-1)?.conversationId)
})

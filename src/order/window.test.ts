import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { UNTIMED_TIE, isOlder } from './rank.ts'
import { type Held, OrderWindow, type Times, type WindowOptions, type WindowTime } from './window.ts'

const T = 1_774_000_000_000

const itemOf = (entity: string, seq: number, tie: number): Held => ({ seq, entity, atMs: 0, tie, dueAtMs: 0, isHeld: false })

/** A window that writes down what it releases and what it holds. */
function rig(options: Partial<WindowOptions<Held>> & { windowMs: number }, time?: WindowTime) {
  const released: { entity: string; seq: number }[] = []
  const held = new Map<number, Held>()
  const window = new OrderWindow<Held>(
    {
      release: (item) => {
        released.push({ entity: item.entity, seq: item.seq })
        held.delete(item.seq)
      },
      ...options,
    },
    time,
  )
  let seq = 0
  const enter = (entity: string, occurredAtMs: number | null, receivedAtMs: number, tie = 0): 'entered' | 'late' => {
    seq++
    window.advance(receivedAtMs)
    return window.enter(itemOf(entity, seq, tie), { occurredAtMs, receivedAtMs })
  }
  const seqs = (): number[] => released.map((r) => r.seq)
  return { window, enter, released, seqs, held }
}

test('released by the watermark of its entity, or when it has waited long enough, whichever is first; and then in order', () => {
  const { window, enter, seqs } = rig({ windowMs: 1_000 })
  enter('a', T + 500, T + 600)
  enter('a', T, T + 610)
  enter('b', T, T + 620)
  assert.deepEqual(seqs(), [])
  enter('a', T + 1_000, T + 1_010)
  assert.deepEqual(seqs(), [], 'what is as old may still come, no later than the window')
  enter('a', T + 1_001, T + 1_020)
  assert.deepEqual(seqs(), [2])
  enter('a', T + 1_501, T + 1_510)
  assert.deepEqual(seqs(), [2, 1])
  assert.equal(window.nextAtMs, T + 1_621)
  window.advance(T + 1_620)
  assert.deepEqual(seqs(), [2, 1])
  window.advance(T + 1_621)
  assert.deepEqual(seqs(), [2, 1, 3])
  window.advance(T + 9_000)
  assert.deepEqual(seqs(), [2, 1, 3, 4, 5, 6])
  assert.equal(window.nextAtMs, Infinity)
})

test('what is due takes everything older of its entity along', () => {
  const { window, enter, seqs } = rig({ windowMs: 1_000 })
  enter('a', T + 300, T)
  enter('a', T + 100, T + 900)
  enter('a', T + 400, T + 950)
  window.advance(T + 1_001)
  assert.deepEqual(seqs(), [2, 1])
})

test('late is older than the last released, not older than the watermark; equal times go by key', () => {
  const { enter, seqs, window } = rig({ windowMs: 1_000 })
  enter('a', T, T + 10, 5)
  enter('a', T + 2_000, T + 2_010)
  assert.deepEqual(seqs(), [1])
  assert.equal(enter('a', T + 1, T + 2_020), 'entered')
  assert.deepEqual(seqs(), [1, 3])
  assert.equal(enter('a', T, T + 2_030, 9), 'late')
  assert.equal(enter('a', T + 1, T + 2_040), 'entered', 'a repetition of the last is not older')
  enter('a', T + 5_000, T + 5_010, 7)
  enter('a', T + 5_000, T + 5_020, 3)
  window.advance(T + 9_000)
  assert.deepEqual(seqs(), [1, 3, 5, 2, 7, 6])
})

describe('an event without a believable time', () => {
  test('takes the place of its arrival, moves nothing, and is never late', () => {
    const { enter, seqs, window } = rig({ windowMs: 1_000 })
    assert.equal(enter('a', null, T), 'entered')
    assert.deepEqual(seqs(), [1], 'nobody is there to be overtaken')
    enter('a', T, T + 10)
    enter('a', null, T + 20)
    enter('a', T - 500, T + 30)
    enter('a', null, T + 40)
    assert.deepEqual(seqs(), [1])
    assert.equal(enter('a', T + 1_001, T + 1_000), 'entered')
    assert.deepEqual(seqs(), [1, 4, 2, 3, 5])
    assert.equal(enter('a', T, T + 1_000), 'entered', 'those without a time make nobody late')
    window.advance(T + 3_000)
    assert.deepEqual(seqs(), [1, 4, 2, 3, 5, 7, 6])
  })

  test('1970 and 2099 release nothing and make nobody late', () => {
    const { enter, seqs, window } = rig({ windowMs: 1_000, skewMs: 200 })
    enter('a', T, T + 10)
    enter('a', 4_070_908_800_000, T + 20)
    enter('a', 0, T + 30)
    assert.deepEqual(seqs(), [3], 'older than all')
    assert.equal(enter('a', T + 100, T + 110), 'entered')
    window.advance(T + 2_000)
    assert.deepEqual(seqs(), [3, 1, 2, 4])
    assert.equal(enter('a', T + 2_205, T + 2_006), 'entered', 'a clock that is ahead by less than the skew is believed')
    assert.deepEqual(seqs(), [3, 1, 2, 4])
    assert.equal(enter('a', T + 1_204, T + 2_007), 'entered')
    assert.deepEqual(seqs(), [3, 1, 2, 4, 6])
  })
})

test('a clock that goes back delays nothing by more than the window', () => {
  const { enter, seqs, window } = rig({ windowMs: 1_000 })
  enter('a', T, T)
  window.advance(T - 3_600_000)
  assert.deepEqual(seqs(), [])
  assert.equal(window.nextAtMs, T - 3_600_000 + 1_001)
  window.advance(T - 3_600_000 + 1_001)
  assert.deepEqual(seqs(), [1])
  enter('a', T, T - 3_600_000 + 2_000)
  window.advance(T - 3_600_000 + 3_001)
  assert.deepEqual(seqs(), [1, 2])
})

test('more than it may hold: the one that came first goes early, and it is counted', () => {
  const { enter, seqs, window } = rig({ windowMs: 60_000, maxHeld: 1_000 })
  for (let i = 0; i < 20_000; i++) enter('a', T + i, T + i)
  assert.deepEqual([window.held, window.forced], [1_000, 19_000])
  assert.deepEqual(
    seqs(),
    Array.from({ length: 19_000 }, (_, i) => i + 1),
  )
})

test('of a million entities the last are remembered', () => {
  const { enter, seqs, window } = rig({ windowMs: 10, maxIdle: 1_000 })
  for (let i = 0; i < 50_000; i++) enter(`e${i}`, T + i, T + i)
  window.advance(T + 60_000)
  assert.equal(seqs().length, 50_000)
  assert.deepEqual([window.entities, window.lastOf('e48999')?.seq, window.lastOf('e49000')?.seq], [1_000, undefined, 49_001])
  assert.equal(enter('e49999', T, T + 60_001), 'late')
  assert.equal(enter('e7', T, T + 60_001), 'entered')
})

const arrivals = fc.record({
  windowMs: fc.integer({ min: 1, max: 500 }),
  events: fc.array(
    fc.record({
      entity: fc.constantFrom('a', 'b', 'c'),
      gapMs: fc.nat(60),
      delay: fc.double({ min: 0, max: 1, noNaN: true }),
      tie: fc.nat(3),
      timed: fc.boolean(),
    }),
    { minLength: 1, maxLength: 80, size: 'max' },
  ),
  restarts: fc.array(fc.nat(80), { maxLength: 3 }),
})

test('property: disorder within the window gives every entity in order, with none late', () => {
  fc.assert(
    fc.property(arrivals, ({ windowMs, events }) => {
      const { enter, released, window } = rig({ windowMs })
      let happenedMs = T
      // Each is received at most windowMs after it happened.
      const sent = events.map((e) => {
        happenedMs += e.gapMs
        return { ...e, occurredAtMs: happenedMs, receivedAtMs: happenedMs + Math.floor(e.delay * windowMs) }
      })
      sent.sort((a, b) => a.receivedAtMs - b.receivedAtMs)
      for (const e of sent) assert.equal(enter(e.entity, e.occurredAtMs, e.receivedAtMs, e.tie), 'entered')
      window.advance(happenedMs + 10_000)
      assert.equal(released.length, sent.length)
      for (const entity of ['a', 'b', 'c']) {
        const mine = released.filter((r) => r.entity === entity).map((r) => sent[r.seq - 1]!)
        for (const [i, e] of mine.slice(1).entries()) {
          const before = mine[i]!
          assert.ok(!isOlder({ atMs: e.occurredAtMs, tie: e.tie }, { atMs: before.occurredAtMs, tie: before.tie }))
        }
      }
    }),
    { numRuns: 300 },
  )
})

test('property: any disorder, restarts in between: the same is released and the same is late as without', () => {
  fc.assert(
    fc.property(arrivals, ({ windowMs, events, restarts }) => {
      const play = (stops: readonly number[]): { order: string[]; late: number[] } => {
        let r = rig({ windowMs })
        const waits = new Map<number, { tie: number; times: Times }>()
        const order: string[] = []
        const late: number[] = []
        let receivedMs = T
        const take = (): void => {
          order.push(...r.released.map((one) => `${one.entity}${one.seq}`))
          r.released.length = 0
        }
        for (const [i, e] of events.entries()) {
          receivedMs += e.gapMs
          r.window.advance(receivedMs)
          const seq = i + 1
          const occurredAtMs = e.timed ? receivedMs - Math.floor(e.delay * 4 * windowMs) : null
          const times = { occurredAtMs, receivedAtMs: receivedMs }
          const item = itemOf(e.entity, seq, e.tie)
          if (r.window.enter(item, times) === 'late') late.push(seq)
          else if (item.isHeld) {
            r.held.set(seq, item)
            waits.set(seq, { tie: e.tie, times })
          }
          take()
          if (!stops.includes(i)) continue
          const next = rig({ windowMs }, r.window.time)
          for (const entity of ['a', 'b', 'c']) {
            const last = r.window.lastOf(entity)
            if (last !== null) next.window.restoreLast(entity, last)
          }
          // As a route does: those without a time of their own have a row, the others are read again.
          for (const [key, { entity, atMs, tie, dueAtMs }] of r.held) {
            const { tie: own, times: then } = waits.get(key)!
            const again = { ...itemOf(entity, key, own), ...(tie === UNTIMED_TIE ? { atMs, tie, dueAtMs } : {}) }
            next.held.set(key, again)
            if (tie === UNTIMED_TIE) next.window.restore(again)
            else next.window.enterAgain(again, then)
          }
          next.window.restored()
          assert.deepEqual(next.released, [])
          r = next
        }
        r.window.advance(receivedMs + 10_000)
        take()
        return { order: order.sort(), late }
      }
      assert.deepEqual(play(restarts), play([]))
    }),
    { numRuns: 300 },
  )
})

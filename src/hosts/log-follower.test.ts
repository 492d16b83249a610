import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Event } from '../event/event.ts'
import type { LogReader } from '../log/reader.ts'
import { eventOf, eventsOf } from '../testing/event-of.ts'
import { MemoryLog } from '../testing/route-harness.ts'
import type { Clock } from '../pipeline/clock.ts'
import { virtualClock } from '../testing/virtual-clock.ts'
import { type Fold, LogFollower } from './log-follower.ts'

/** What a fold has on its disk. */
type Disk = { position: number | null; seen: string[] }

const emptyDisk = (): Disk => ({ position: null, seen: [] })

/** A fold that makes a list of the ids it was given. */
function listing(disk: Disk, each: (event: Event) => void = () => {}): Fold & { readonly seen: string[]; stores: number } {
  const seen = [...disk.seen]
  return {
    name: 'the list',
    seen,
    stores: 0,
    load: () => disk.position,
    fold(event) {
      each(event)
      seen.push(event.id)
    },
    store(position) {
      this.stores++
      disk.position = position
      disk.seen = [...seen]
    },
  }
}

function following(log: LogReader, ...folds: readonly Fold[]) {
  return followingAt(log, virtualClock(), () => 0, folds)
}

function followingAt(log: LogReader, clock: Clock, tickMs: () => number, folds: readonly Fold[]) {
  const ended = new AbortController()
  const warnings: string[] = []
  const follower = new LogFollower({
    log,
    folds,
    clock,
    tickMs,
    warn: (code) => warnings.push(code),
    signal: ended.signal,
  })
  const running = follower.run()
  const stop = async (): Promise<void> => {
    ended.abort()
    await running
  }
  return { follower, warnings, stop }
}

/** Gives the follower turns of the event loop until it has nothing more to read. */
async function caughtUp(follower: LogFollower): Promise<void> {
  follower.wake()
  for (let i = 0; i < 10_000 && follower.lagEvents > 0; i++) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(follower.lagEvents, 0)
}

test('each event is folded once, also over a stop and a start; repetitions are not', async () => {
  const disk = emptyDisk()
  const log = new MemoryLog()
  log.append(eventsOf(200))
  log.append([eventOf({}, 3)], [4])
  const first = listing(disk)
  const before = following(log.reader, first)
  await caughtUp(before.follower)
  assert.equal(first.seen.length, 200)
  await before.stop()
  assert.equal(disk.position, 202)
  log.append(eventsOf(50))
  const second = listing(disk)
  const after = following(log.reader, second)
  await caughtUp(after.follower)
  assert.deepEqual([second.seen.length, new Set(second.seen).size], [250, 250])
  await after.stop()
})

test('changes of the state are passed over', async () => {
  const disk = emptyDisk()
  const log = new MemoryLog()
  log.append([eventOf({}, 0), eventOf({ format: 'change' }, 1), eventOf({}, 2)])
  const list = listing(disk)
  const { follower, stop } = following(log.reader, list)
  await caughtUp(follower)
  assert.deepEqual(
    list.seen,
    [1, 3].map((n) => `k3v9qa7m-${String(n).padStart(8, '0')}`),
  )
  await stop()
  assert.equal(disk.position, 4)
})

test('a process that dies folds again what it had not stored, on top of what it had', async () => {
  const disk = emptyDisk()
  const log = new MemoryLog()
  log.append(eventsOf(10))
  const first = following(log.reader, listing(disk))
  await caughtUp(first.follower)
  await first.stop()
  log.append(eventsOf(10))
  const dead = following(log.reader, listing(disk))
  await caughtUp(dead.follower)
  // Never stopped: what came since the last store is nowhere.
  const list = listing(disk)
  const next = following(log.reader, list)
  await caughtUp(next.follower)
  assert.deepEqual([list.seen.length, new Set(list.seen).size], [20, 20])
  await next.stop()
  await dead.stop()
})

test('one event that cannot be taken stops nothing, and is counted; another fold has it', async () => {
  const log = new MemoryLog()
  log.append(eventsOf(30))
  let folded = 0
  const one = listing(emptyDisk(), () => {
    if (++folded === 7) throw new Error('odd')
  })
  const other = listing(emptyDisk())
  const { follower, warnings, stop } = following(log.reader, one, other)
  await caughtUp(follower)
  assert.deepEqual([one.seen.length, other.seen.length, follower.unseenEvents, warnings], [29, 30, 1, ['follower.failed']])
  await stop()
})

test('what retention took unseen is counted', async () => {
  const disk = emptyDisk()
  const log = new MemoryLog()
  log.append(eventsOf(40))
  const first = following(log.reader, listing(disk))
  await caughtUp(first.follower)
  await first.stop()
  log.append(eventsOf(40))
  const late = following(log.beginningAt(61), listing(disk))
  await caughtUp(late.follower)
  // The file of the rest is gone as well.
  assert.equal(late.follower.unseenEvents, 40)
  await late.stop()
})

test('folds have positions of their own: one that begins anew gets everything, the other nothing twice', async () => {
  const kept = emptyDisk()
  const lost = emptyDisk()
  const log = new MemoryLog()
  log.append(eventsOf(150))
  const first = following(log.reader, listing(kept), listing(lost))
  await caughtUp(first.follower)
  await first.stop()
  log.append(eventsOf(20))
  const list = listing(kept)
  const anew = listing(emptyDisk())
  const second = following(log.reader, list, anew)
  await caughtUp(second.follower)
  for (const { seen } of [list, anew]) assert.deepEqual([seen.length, new Set(seen).size], [170, 170])
  await second.stop()
})

test('a store that fails is tried again, and hinders no other', async () => {
  const log = new MemoryLog()
  log.append(eventsOf(5))
  const disk = emptyDisk()
  const broken = {
    ...listing(emptyDisk()),
    store() {
      throw new Error('full')
    },
  }
  const { follower, warnings, stop } = following(log.reader, broken, listing(disk))
  await caughtUp(follower)
  await stop()
  assert.deepEqual([disk.position, warnings], [6, ['follower.not_stored']])
})

test('a fold that is full is stored before its time, alone', async () => {
  const log = new MemoryLog()
  log.append(eventsOf(200))
  const [disk, other] = [emptyDisk(), emptyDisk()]
  const full = Object.assign(listing(disk), { isFull: true })
  const { follower, stop } = following(log.reader, full, listing(other))
  await caughtUp(follower)
  for (let i = 0; i < 100 && disk.position === null; i++) await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual([disk.position, other.position], [201, null])
  await stop()
  assert.equal(other.position, 201)
})

test('between two reads: everything before the position has been folded, and nothing is while it lasts', async () => {
  const log = new MemoryLog()
  log.append(eventsOf(300))
  const list = listing(emptyDisk())
  const { follower, stop } = following(log.reader, list)
  const looked = await follower.between(list, async (position) => {
    const before = list.seen.length
    log.append(eventsOf(300))
    follower.wake()
    for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve))
    return { position, before, after: list.seen.length }
  })
  assert.deepEqual([looked.position, looked.before], [looked.after + 1, looked.after])
  await assert.rejects(
    follower.between(list, async () => {
      throw new Error('own')
    }),
    /own/,
  )
  await caughtUp(follower)
  assert.equal(list.seen.length, 600)
  await stop()
  await assert.rejects(
    follower.between(list, async () => 1),
    { code: 'service.stopping' },
  )
})

test('a stop that comes while it rests ends it, and not after the next idle minute', async () => {
  const log = new MemoryLog()
  log.append(eventsOf(3))
  const rests: (() => void)[] = []
  // Only rests that are given back by hand; an idle wait would never end.
  const clock: Clock = { nowMs: () => 0, wait: () => new Promise((resolve) => rests.push(resolve)) }
  let ticks = 0
  const list = listing(emptyDisk())
  const { follower, stop } = followingAt(log.reader, clock, () => (ticks += 10), [list])
  for (let i = 0; i < 1_000 && rests.length === 0; i++) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(follower.lagEvents, 0)
  // The rest after the read that found nothing.
  rests.shift()!()
  for (let i = 0; i < 1_000 && rests.length === 0; i++) await new Promise((resolve) => setImmediate(resolve))
  const stopped = stop()
  rests.shift()!()
  await stopped
})

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Event } from '../event/event.ts'
import type { LogReader } from '../log/reader.ts'
import { Ledger } from '../routes/ledger.ts'
import { eventOf, eventsOf } from '../testing/event-of.ts'
import { MemoryLog, tempDir } from '../testing/route-harness.ts'
import { virtualClock } from '../testing/virtual-clock.ts'
import { DriftWatcher } from './drift-watcher.ts'

/** A watcher whose report is the list of the ids that were folded. */
function watching(ledger: Ledger, log: LogReader, fold: (event: Event) => void = () => {}) {
  const clock = virtualClock()
  const ended = new AbortController()
  const warnings: string[] = []
  let seen: string[] = []
  const watcher = new DriftWatcher({
    log,
    ledger,
    restore: (report) => {
      if (!Array.isArray(report)) throw new Error('no list')
      seen = report as string[]
    },
    fold: (event) => {
      fold(event)
      seen.push(event.id)
    },
    report: () => seen,
    clock,
    tickMs: () => 0,
    warn: (code) => warnings.push(code),
    signal: ended.signal,
  })
  const running = watcher.run()
  return {
    watcher,
    warnings,
    seen: () => seen,
    stop: async () => {
      ended.abort()
      await running
    },
  }
}

/** Gives the watcher turns of the event loop until it has nothing more to read. */
async function caughtUp(watcher: DriftWatcher): Promise<void> {
  watcher.wake()
  for (let i = 0; i < 10_000 && watcher.lagEvents > 0; i++) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(watcher.lagEvents, 0)
}

test('each event is folded once, also over a stop and a start; repetitions are not', async () => {
  const ledger = new Ledger(join(tempDir(), 'ledger.db'))
  const log = new MemoryLog()
  log.append(eventsOf(200))
  log.append([eventOf({}, 3)], [4])
  const first = watching(ledger, log.reader)
  await caughtUp(first.watcher)
  assert.equal(first.seen().length, 200)
  await first.stop()
  log.append(eventsOf(50))
  const second = watching(ledger, log.reader)
  await caughtUp(second.watcher)
  assert.equal(second.seen().length, 250)
  assert.equal(new Set(second.seen()).size, 250)
  await second.stop()
  ledger.close()
})

test('a process that dies folds again what it had not stored, on top of the report it had stored', async () => {
  const ledger = new Ledger(join(tempDir(), 'ledger.db'))
  const log = new MemoryLog()
  log.append(eventsOf(10))
  const first = watching(ledger, log.reader)
  await caughtUp(first.watcher)
  await first.stop()
  log.append(eventsOf(10))
  const dead = watching(ledger, log.reader)
  await caughtUp(dead.watcher)
  // Never stopped: what came since the last store is in no report.
  const next = watching(ledger, log.reader)
  await caughtUp(next.watcher)
  assert.equal(next.seen().length, 20)
  assert.equal(new Set(next.seen()).size, 20)
  await next.stop()
  await dead.stop()
  ledger.close()
})

test('one event that cannot be judged stops nothing, and is counted', async () => {
  const ledger = new Ledger(join(tempDir(), 'ledger.db'))
  const log = new MemoryLog()
  log.append(eventsOf(30))
  let folded = 0
  const one = watching(ledger, log.reader, () => {
    folded++
    if (folded === 7) throw new Error('odd')
  })
  await caughtUp(one.watcher)
  assert.deepEqual([one.seen().length, one.watcher.unseenEvents, one.warnings], [29, 1, ['drift.failed']])
  await one.stop()
  ledger.close()
})

test('what retention took unseen is counted, and a stored report that is damaged is begun anew', async () => {
  const ledger = new Ledger(join(tempDir(), 'ledger.db'))
  const log = new MemoryLog()
  log.append(eventsOf(40))
  const first = watching(ledger, log.reader)
  await caughtUp(first.watcher)
  await first.stop()
  log.append(eventsOf(40))
  const late = watching(ledger, log.beginningAt(61))
  await caughtUp(late.watcher)
  assert.equal(late.watcher.unseenEvents >= 20, true)
  await late.stop()
  ledger.run(`UPDATE kept SET value = '{"position":12'`)
  const anew = watching(ledger, log.reader)
  await caughtUp(anew.watcher)
  assert.deepEqual([anew.seen().length, anew.warnings], [80, ['drift.unreadable']])
  await anew.stop()
  ledger.close()
})

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { Flags } from '../flags/flags.ts'
import { sqliteFlags } from '../flags/sqlite-flags.ts'
import { Ledger } from '../routes/ledger.ts'
import { bodyOf } from '../schema/assess.ts'
import { eventsOf } from '../testing/event-of.ts'
import { tempDir } from '../testing/route-harness.ts'
import { driftFold } from './drift-fold.ts'
import { Validation } from './validation.ts'

test('the report goes on where it was stored; one that is damaged is begun anew, and said', async () => {
  const ledger = new Ledger(join(tempDir(), 'ledger.db'))
  const flags = new Flags(sqliteFlags(ledger, () => assert.fail('no flag is unreadable')))
  const opened = async () => {
    const validation = await Validation.open({ schemas: { dir: null, policy: {} }, flags, warn: () => {} })
    const warnings: string[] = []
    return { validation, warnings, fold: driftFold({ ledger, validation, log: { nextSeq: 13 }, warn: (code) => warnings.push(code) }) }
  }
  const first = await opened()
  assert.equal(first.fold.load(), null)
  const events = eventsOf(12)
  for (const event of events) first.fold.fold(event, bodyOf(event), 1)
  first.fold.store(13)
  const report = first.validation.report()
  assert.equal(report.events, 12)

  const second = await opened()
  assert.equal(second.fold.load(), 13)
  assert.deepEqual(second.validation.report(), report)

  const beyond = JSON.stringify({ position: 14, report: first.validation.storedReport() })
  for (const damaged of ['{"position":12', beyond]) {
    ledger.run('UPDATE kept SET value = ?', damaged)
    const third = await opened()
    assert.deepEqual([third.fold.load(), third.warnings, third.validation.report().events], [null, ['drift.unreadable'], 0])
  }
  ledger.close()
})

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Held, OrderWindow } from '../order/window.ts'
import { tempDir } from '../testing/route-harness.ts'
import { Lasts } from './lasts.ts'
import { Ledger } from './ledger.ts'

const T = 1_774_000_000_000
const path = (): string => join(tempDir(), 'ledger.db')

function windowOf(lasts: Lasts, maxIdle: number): OrderWindow<Held> {
  return new OrderWindow<Held>({ windowMs: 10, maxIdle, release: () => undefined }, lasts.time())
}

/** Lets an event of the entity pass the window whole. */
function pass(window: OrderWindow<Held>, entity: string, seq: number): void {
  const atMs = T + seq * 100
  window.advance(atMs)
  window.enter({ seq, entity, atMs: 0, tie: seq % 7, dueAtMs: 0, isHeld: false }, { occurredAtMs: atMs, receivedAtMs: atMs })
  window.advance(atMs + 50)
}

test('property: over commits, commits that fail and restarts the file says what each entity released last', () => {
  const step = fc.record({ what: fc.constantFrom('pass', 'pass', 'pass', 'commit', 'fail', 'restart'), entity: fc.nat(6) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
      const ledger = new Ledger(path())
      ledger.createRoute('crm', 1)
      let lasts = new Lasts(ledger, 'crm')
      let window = windowOf(lasts, 100)
      const released = new Map<string, number>()
      let committed = new Map(released)
      const commit = (fails: boolean): void => {
        try {
          ledger.transaction(() => {
            lasts.write(window)
            if (fails) throw new Error('the disk is full')
          })
        } catch {
          return
        }
        lasts.written()
        window.stored()
        committed = new Map(released)
      }
      for (const [i, { what, entity }] of steps.entries()) {
        if (what === 'pass') {
          pass(window, `e${entity}`, i + 1)
          released.set(`e${entity}`, i + 1)
        } else if (what === 'restart') {
          lasts = new Lasts(ledger, 'crm')
          window = windowOf(lasts, 100)
          lasts.restore(window)
          released.clear()
          for (const [name, seq] of committed) released.set(name, seq)
        } else commit(what === 'fail')
        for (let n = 0; n <= 6; n++) assert.equal(window.lastOf(`e${n}`)?.seq, released.get(`e${n}`))
      }
      ledger.close()
    }),
    { numRuns: 60 },
  )
})

test('the file stays small, however much is released and whoever goes and comes back; who is remembered is found in it', () => {
  const ledger = new Ledger(path())
  ledger.createRoute('crm', 1)
  const lasts = new Lasts(ledger, 'crm')
  const window = windowOf(lasts, 1_000)
  let seq = 0
  for (let commit = 0; commit < 300; commit++) {
    // One in ten is always the same; the others come once.
    for (let i = 0; i < 200; i++) pass(window, i % 10 === 0 ? `often-${i}` : `once-${commit}-${i}`, ++seq)
    ledger.transaction(() => lasts.write(window))
    lasts.written()
    window.stored()
  }
  const rows = ledger.all('SELECT lasts FROM released')
  const entries = rows.reduce((sum, row) => sum + (JSON.parse(String(row['lasts'])) as unknown[]).length, 0)
  assert.ok(entries < 10_000, `${entries} entries of 60,000 released`)
  const again = windowOf(new Lasts(ledger, 'crm'), 1_000)
  new Lasts(ledger, 'crm').restore(again)
  assert.equal(again.entities, 1_000)
  assert.equal(again.lastOf('often-0')?.seq, window.lastOf('often-0')?.seq)
  for (let i = 191; i < 200; i++) assert.deepEqual(again.lastOf(`once-299-${i}`), window.lastOf(`once-299-${i}`))
  assert.equal(again.lastOf('once-0-1'), null)
  ledger.close()
})

import assert from 'node:assert/strict'
import { mkdirSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, test } from 'node:test'
import { Held } from './held.ts'
import { Ledger, type DeadLetterRow, type Happening, type RouteChanges } from './ledger.ts'
import { tempDir } from '../testing/route-harness.ts'

const NOTHING: RouteChanges = {
  route: 'crm',
  position: 1,
  above: [],
  readTo: 1,
  sinkPosition: null,
  counts: {},
  park: [],
  unpark: [],
  happenings: [],
  dead: [],
  revived: [],
  expired: [],
}

const letter = (seq: number): DeadLetterRow => ({
  seq,
  eventId: `k3v9qa7m-0000000${seq}`,
  topic: 'v2.users.{id}.presence',
  conversationId: null,
  queueId: null,
  userId: 'u',
  reason: 'http.400',
  stage: 'deliver',
  detail: null,
  attempts: 1,
  receivedAtMs: 1,
  diedAtMs: 2,
  frame: new Uint8Array([1, 2, 3]),
})

const happening = (seq: number, what: Happening['what'] = 'attempt_failed'): Happening => ({
  route: 'crm',
  seq,
  atMs: 5,
  what,
  attempt: 1,
  stage: 'deliver',
  reason: 'http.500',
  detail: null,
  origin: 'live',
})

function newLedger(): { ledger: Ledger; path: string } {
  const path = join(tempDir(), 'ledger.db')
  const ledger = new Ledger(path)
  ledger.createRoute('crm', 1)
  return { ledger, path }
}

describe('a commit', () => {
  test('comes back whole after the file is opened again', () => {
    const { ledger, path } = newLedger()
    const parked = {
      seq: 7,
      state: 'retry' as const,
      attempt: 2,
      dueAtMs: 99,
      reason: 'http.500',
      entity: 'c',
      mark: 'order.late' as const,
    }
    ledger.commit({
      ...NOTHING,
      position: 5,
      above: [[7, 9]],
      readTo: 12,
      sinkPosition: 'p',
      park: [parked],
      happenings: [happening(7)],
      counts: { delivered: 4 },
    })
    ledger.close()
    const again = new Ledger(path)
    assert.deepEqual(again.route('crm'), {
      position: 5,
      above: [[7, 9]],
      readTo: 12,
      sinkPosition: 'p',
      startedSeq: 1,
      counts: { delivered: 4 },
      pending: [parked],
    })
    assert.deepEqual(again.history('crm', 7), [happening(7)])
    again.close()
  })

  test('of which one statement fails leaves nothing of the others, and the next one goes through', () => {
    const { ledger } = newLedger()
    ledger.commit({ ...NOTHING, position: 3, sinkPosition: 'a', counts: { delivered: 2 } })
    const before = ledger.route('crm')
    const bad = { fromSeq: 8, toSeq: 9, atMs: 0.5, reason: 'backlog.expired' }
    const changes: RouteChanges = {
      ...NOTHING,
      position: 10,
      sinkPosition: 'b',
      counts: { delivered: 9 },
      park: [{ seq: 4, state: 'retry', attempt: 1, dueAtMs: 1, reason: 'x', entity: null, mark: null }],
      happenings: [happening(4), happening(5, 'dead')],
      dead: [letter(5)],
      expired: [bad],
    }
    assert.throws(() => ledger.commit(changes), /cannot store REAL/)
    assert.deepEqual(ledger.route('crm'), before)
    assert.deepEqual(ledger.history('crm', 4), [])
    assert.equal(ledger.get('SELECT 1 FROM dead_letters'), undefined)
    ledger.commit({ ...changes, expired: [{ ...bad, atMs: 1 }] })
    assert.equal(ledger.route('crm')?.position, 10)
    ledger.close()
  })

  test('of an event that died again adds its attempts and keeps one dead letter', () => {
    const { ledger } = newLedger()
    ledger.commit({ ...NOTHING, dead: [letter(5)] })
    ledger.commit({ ...NOTHING, revived: [5] })
    assert.equal(ledger.get('SELECT state FROM dead_letters')?.['state'], 'redriven')
    ledger.commit({ ...NOTHING, dead: [{ ...letter(5), reason: 'http.410', attempts: 3 }] })
    assert.deepEqual(
      { ...ledger.get('SELECT state, reason, attempts, count(*) AS n FROM dead_letters') },
      { state: 'dead', reason: 'http.410', attempts: 4, n: 1 },
    )
    ledger.close()
  })
})

describe('the file', () => {
  test('of a newer version is refused and left alone', () => {
    const { ledger, path } = newLedger()
    ledger.db.exec('PRAGMA user_version = 99')
    ledger.close()
    assert.throws(() => new Ledger(path), { code: 'log.newer_format' })
    const db = new DatabaseSync(path)
    assert.equal((db.prepare('PRAGMA user_version').get() as { user_version: number }).user_version, 99)
    db.exec('PRAGMA journal_mode = DELETE')
    db.close()
  })

  test('of the first version is brought up to date, and knows what it knew', () => {
    const { ledger, path } = newLedger()
    ledger.revise('crm', 1, 'r1', '{}', 0)
    ledger.db.exec(
      'ALTER TABLE revisions DROP COLUMN settled_above; DROP TABLE flags; DROP TABLE flag_changes; DROP TABLE kept; DROP TABLE gaps; ' +
        `DROP TABLE held; DROP TABLE released; DROP TABLE counters; ALTER TABLE pending DROP COLUMN mark; ALTER TABLE routes DROP COLUMN order_at_ms;
         ALTER TABLE routes DROP COLUMN order_seen_ms; ALTER TABLE routes DROP COLUMN read_to; UPDATE routes SET above = '[[7,9],[12,14]]';
         ALTER TABLE routes ADD COLUMN counts TEXT NOT NULL DEFAULT '{"delivered":7}';
         INSERT INTO pending VALUES ('crm', 5, 'held', 0, 9007199254740991, 'order.predecessor', 'c'), ('crm', 4, 'retry', 1, 99, 'http.500', 'c');` +
        'PRAGMA user_version = 1',
    )
    ledger.close()
    const again = new Ledger(path)
    assert.equal(again.revisionAt('crm', 5)?.revision, 'r1')
    const state = again.route('crm')
    assert.deepEqual(
      [state?.counts, state?.pending.map((p) => [p.seq, p.state, p.mark]), new Held(again, 'crm').get(5)?.key, state?.readTo],
      [{ delivered: 7 }, [[4, 'retry', null]], 'c', 15],
    )
    again.close()
  })
})

describe('revisions', () => {
  test('an unchanged definition makes none; each record has the one it met', () => {
    const { ledger } = newLedger()
    ledger.revise('crm', 1, 'a', 'A', 0)
    ledger.revise('crm', 5, 'a', 'A', 0)
    ledger.commit({
      ...NOTHING,
      position: 10,
      above: [
        [12, 14],
        [16, 16],
      ],
    })
    ledger.revise('crm', 10, 'b', 'B', 0)
    ledger.commit({ ...NOTHING, position: 20 })
    ledger.revise('crm', 20, 'a', 'A2', 0)
    const met = [1, 9, 10, 11, 12, 14, 15, 16, 17, 19, 20, 99].map((seq) => ledger.revisionAt('crm', seq)?.definition)
    assert.deepEqual(met, ['A', 'A', 'B', 'B', 'A', 'A', 'B', 'A', 'B', 'B', 'A2', 'A2'])
    assert.equal(ledger.revisionAt('other', 1), null)
    ledger.close()
  })
})

test('what belongs to records that have left the log is forgotten, but not the history of a dead letter', () => {
  const { ledger } = newLedger()
  ledger.commit({
    ...NOTHING,
    happenings: [happening(3), happening(4), happening(4, 'dead'), happening(8)],
    dead: [letter(4)],
    expired: [
      { fromSeq: 1, toSeq: 2, atMs: 0, reason: 'x' },
      { fromSeq: 5, toSeq: 9, atMs: 0, reason: 'x' },
    ],
  })
  ledger.forgetBefore(8)
  assert.deepEqual(
    [3, 4, 8].map((seq) => ledger.history('crm', seq).length),
    [0, 2, 1],
  )
  assert.deepEqual(
    ledger.all('SELECT from_seq FROM expired').map((row) => row['from_seq']),
    [5],
  )
  ledger.close()
})

test('a route that is made again keeps its progress, and is known when it is no longer configured', () => {
  const { ledger, path } = newLedger()
  ledger.commit({ ...NOTHING, position: 5 })
  ledger.createRoute('crm', 9)
  ledger.createRoute('archive', 9)
  assert.deepEqual([ledger.route('crm')?.position, ledger.route('archive')?.startedSeq, ledger.route('none')], [5, 9, null])
  ledger.close()
  const again = new Ledger(path)
  assert.deepEqual(again.routeNames(), ['archive', 'crm'])
  again.close()
})

describe('a ledger file that is damaged', () => {
  const cases: readonly [string, (path: string) => void][] = [
    ['garbage', (path) => writeFileSync(path, Buffer.alloc(20_000, 7))],
    ['cut in half', (path) => truncateSync(path, statSync(path).size / 2)],
    ['a folder', (path) => mkdirSync(path)],
  ]
  for (const [name, spoil] of cases)
    test(`is refused by code: ${name}`, () => {
      const path = join(tempDir(), 'ledger.db')
      if (name !== 'a folder') new Ledger(path).close()
      spoil(path)
      assert.throws(() => new Ledger(path), { code: name === 'a folder' ? 'data_dir.unusable' : 'data_dir.damaged' })
    })
})

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { Ledger } from '../routes/ledger.ts'
import { type FlagChange, Flags } from './flags.ts'
import { type FlagSubjects, readFlag } from './read-flag.ts'
import { sqliteFlags } from './sqlite-flags.ts'

const NOW = 1_774_000_000_000
const TOPIC = 'v2.detail.events.conversation.{id}.acd.end'
const SUBJECTS: FlagSubjects = {
  routes: ['crm', 'lake', 'calls'],
  limitedBy: (route) => ({ crm: 'queue', calls: 'conversation' })[route] ?? null,
  keyNamed: (_route, key) => ({
    ids: { Sales: ['id-of-sales'], Twin: ['id-1', 'id-2'] }[key] ?? [],
    nearest: key === 'Salse' ? ['Sales'] : null,
  }),
  versionsOf: (topic) => (topic === TOPIC ? ['257.1.0', 'mine'] : []),
  nearestTopics: (topic) => (topic === TOPIC ? [] : [TOPIC]),
}

const unwarned = (): void => assert.fail('a row was called damaged')

function ledgerFile(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'trunkline-flags-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  return join(dir, 'ledger.db')
}

test('a flag holds over a restart, and every change is on record with who and when', (t) => {
  const file = ledgerFile(t)
  const first = new Ledger(file)
  const flags = new Flags(sqliteFlags(first, unwarned))
  assert.equal(flags.get({ flag: 'route.paused', route: 'crm' }), null)
  flags.set({ flag: 'route.paused', route: 'crm' }, true, 'ann', 1_000)
  flags.set({ flag: 'schema.policy', topic: TOPIC, class: 'new_field' }, 'quarantine', 'ben', 2_000)
  flags.set({ flag: 'route.paused', route: 'crm' }, false, 'cid', 3_000)
  flags.set({ flag: 'route.paused', route: 'crm' }, null, 'dot', 4_000)
  first.close()

  const second = new Ledger(file)
  const again = new Flags(sqliteFlags(second, unwarned))
  assert.deepEqual(again.list(), [
    { flag: 'schema.policy', topic: TOPIC, class: 'new_field', value: 'quarantine', untilMs: null, by: 'ben', atMs: 2_000 },
  ])
  assert.equal(again.get({ flag: 'route.paused', route: 'crm' }), null)
  assert.deepEqual(
    again.changes(10).map(({ from, to, by, atMs }) => [from, to, by, atMs]),
    [
      [false, null, 'dot', 4_000],
      [true, false, 'cid', 3_000],
      [null, 'quarantine', 'ben', 2_000],
      [null, true, 'ann', 1_000],
    ],
  )
  second.close()
})

test('what a flag is already is no change, and nobody is told', (t) => {
  const ledger = new Ledger(ledgerFile(t))
  const flags = new Flags(sqliteFlags(ledger, unwarned))
  const told: FlagChange[] = []
  flags.onChange((change) => told.push(change))
  const name = { flag: 'route.paused', route: 'crm' } as const
  flags.set(name, null, 'ann', 1)
  flags.set(name, true, 'ann', 2)
  const { from, to } = flags.set(name, true, 'ben', 3)
  assert.deepEqual([from, to], [true, true])
  assert.deepEqual(
    [told.map(({ atMs }) => atMs), flags.changes(10).map(({ atMs }) => atMs), flags.list().map(({ by }) => by)],
    [[2], [2], ['ann']],
  )
  ledger.close()
})

test('a rate with an end is another flag value when either is another, and comes back from disk as it was', (t) => {
  const file = ledgerFile(t)
  const ledger = new Ledger(file)
  const flags = new Flags(sqliteFlags(ledger, unwarned))
  const name = { flag: 'route.limit', route: 'crm', key: 'q' } as const
  const rate = (): { perSecond: number; burst: number } => ({ perSecond: 5, burst: 2 })
  flags.set(name, rate(), 'ann', 1, 100)
  flags.set(name, rate(), 'ann', 2, 100)
  flags.set(name, rate(), 'ann', 3, 200)
  flags.set({ ...name, key: null }, 'unlimited', 'ann', 4)
  ledger.close()
  const again = new Ledger(file)
  const second = new Flags(sqliteFlags(again, unwarned))
  assert.deepEqual(second.list(), [
    { ...name, key: null, value: 'unlimited', untilMs: null, by: 'ann', atMs: 4 },
    { ...name, value: rate(), untilMs: 200, by: 'ann', atMs: 3 },
  ])
  assert.deepEqual(
    second.changes(9).map(({ from, to, untilMs, atMs }) => [from, to, untilMs, atMs]),
    [
      [null, 'unlimited', null, 4],
      [rate(), rate(), 200, 3],
      [null, rate(), 100, 1],
    ],
  )
  again.close()
})

test('a change is told after it is durable, and not at all when it could not be stored', (t) => {
  const ledger = new Ledger(ledgerFile(t))
  const store = sqliteFlags(ledger, unwarned)
  const told: FlagChange[] = []
  let broken = false
  const flags = new Flags({
    ...store,
    put: (change) => {
      if (broken) throw new Error('disk full')
      store.put(change)
    },
  })
  flags.onChange((change) => {
    assert.equal(store.changes(1)[0]?.atMs, change.atMs)
    told.push(change)
  })
  flags.set({ flag: 'route.paused', route: 'crm' }, true, 'ann', 1)
  broken = true
  assert.throws(() => flags.set({ flag: 'route.paused', route: 'crm' }, false, 'ann', 2), /disk full/)
  assert.equal(flags.get({ flag: 'route.paused', route: 'crm' }), true)
  assert.deepEqual(
    told.map(({ to }) => to),
    [true],
  )
  ledger.close()
})

test('what a flag may name is checked, and the answer says what would be right', () => {
  const refused = (input: Record<string, unknown>, code: string, hint: RegExp): void => {
    assert.throws(
      () => readFlag(input, SUBJECTS, NOW),
      (error: { code?: string; hint?: string }) => error.code === code && hint.test(error.hint ?? ''),
      JSON.stringify(input),
    )
  }
  refused({}, 'flag.unknown', /route\.paused/)
  refused({ flag: 'route.paused', route: 'crn', value: true }, 'route.unknown', /crm, lake, calls/)
  refused({ flag: 'route.paused', route: 'crm', value: 'yes' }, 'flag.bad_value', /true or false; null/)
  refused({ flag: 'route.paused', route: 7, value: true }, 'flag.bad_name', /route/)
  refused({ flag: 'schema.version', topic: 'v2.nope', value: 'mine' }, 'topic.unknown', /acd\.end/)
  refused({ flag: 'schema.version', topic: TOPIC, value: 'theirs' }, 'flag.bad_value', /257\.1\.0, mine/)
  refused({ flag: 'schema.policy', topic: 'v2.nope', class: 'new_field', value: 'tag' }, 'topic.unknown', /acd\.end/)
  refused({ flag: 'schema.policy', topic: TOPIC, class: 'field_gone', value: 'tag' }, 'flag.bad_class', /new_field/)
  refused({ flag: 'schema.policy', topic: TOPIC, class: 'new_field', value: 'drop' }, 'flag.bad_value', /accept, tag, quarantine/)

  const limit = (more: object): Record<string, unknown> => ({ flag: 'route.limit', route: 'crm', value: { perSecond: 5 }, ...more })
  refused(limit({ route: 'lake' }), 'flag.no_limit', /configuration/)
  refused(limit({ route: 'calls', key: 'q' }), 'flag.bad_key', /Leave the key out/)
  refused(limit({ key: '' }), 'flag.bad_key', /limit counts by/)
  refused(limit({ key: 'Twin' }), 'flag.bad_key', /id-1, id-2/)
  assert.deepEqual(readFlag(limit({ key: 'Sales' }), SUBJECTS, NOW).name, { flag: 'route.limit', route: 'crm', key: 'id-of-sales' })
  refused(limit({ key: 'Salse' }), 'flag.bad_key', /nearest are "Sales"\./)
  const takenAway = readFlag(limit({ key: 'Salse', value: null }), SUBJECTS, NOW).name
  assert.deepEqual(takenAway, { flag: 'route.limit', route: 'crm', key: 'Salse' }, 'what is set can be taken away')
  refused(limit({ key: 'a\u0000b' }), 'flag.bad_key', /limit counts by/)
  refused(limit({ key: 'x'.repeat(201) }), 'flag.bad_key', /limit counts by/)
  for (const value of [
    true,
    5,
    [],
    { perSecond: '5' },
    {},
    { perSecond: 0 },
    { perSecond: 5, burst: 0 },
    { perSecond: 5, burst: 1.5 },
    { perSecond: 5, brust: 3 },
  ])
    refused(limit({ value }), 'flag.bad_value', /"perSecond": a number from 0.001 to 1000000/)
  for (const untilMs of [NOW, NOW - 1, NOW + 0.5, 'soon', NOW * 1_000]) refused(limit({ untilMs }), 'flag.bad_time', /epoch milliseconds/)
  refused(limit({ value: null, untilMs: NOW + 1 }), 'flag.bad_time', /Leave untilMs out/)
  refused({ flag: 'route.paused', route: 'crm', value: true, untilMs: NOW + 1 }, 'flag.bad_time', /Leave untilMs out/)
  assert.deepEqual(readFlag(limit({ key: 'q', untilMs: NOW + 1 }), SUBJECTS, NOW), {
    name: { flag: 'route.limit', route: 'crm', key: 'q' },
    value: { perSecond: 5, burst: null },
    untilMs: NOW + 1,
  })
  assert.deepEqual(readFlag(limit({ route: 'calls', value: 'unlimited' }), SUBJECTS, NOW).value, 'unlimited')

  assert.deepEqual(readFlag({ flag: 'schema.policy', topic: '*', class: '*', value: 'tag' }, SUBJECTS, NOW), {
    name: { flag: 'schema.policy', topic: '*', class: '*' },
    value: 'tag',
    untilMs: null,
  })
  assert.deepEqual(readFlag({ flag: 'route.paused', route: 'crm' }, SUBJECTS, NOW), {
    name: { flag: 'route.paused', route: 'crm' },
    value: null,
    untilMs: null,
  })
})

test('a damaged row is left out and said; the others hold', (t) => {
  const ledger = new Ledger(ledgerFile(t))
  const flags = new Flags(sqliteFlags(ledger, unwarned))
  flags.set({ flag: 'route.paused', route: 'crm' }, true, 'ann', 1)
  flags.set({ flag: 'route.paused', route: 'lake' }, true, 'ann', 2)
  ledger.run(`UPDATE flags SET value = '{junk' WHERE key = 'route.paused crm'`)
  ledger.run(`UPDATE flag_changes SET name = '{junk' WHERE id = 1`)
  const said: string[] = []
  const again = new Flags(sqliteFlags(ledger, (code) => said.push(code)))
  assert.deepEqual(
    again.list().map((flag) => flag.flag === 'route.paused' && flag.route),
    ['lake'],
  )
  assert.equal(again.changes(10).length, 1)
  assert.deepEqual(said, ['flag.unreadable', 'flag.unreadable'])
  ledger.close()
})

test('a value of any shape is refused with a short text', () => {
  let deep: unknown = 1
  for (let i = 0; i < 50_000; i++) deep = [deep]
  assert.throws(() => readFlag({ flag: 'route.paused', route: 'crm', value: deep }, SUBJECTS, NOW), { code: 'flag.bad_value' })
})

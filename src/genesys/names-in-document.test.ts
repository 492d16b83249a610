import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import type { Names } from './directory.ts'
import { namesBeside } from './names-in-document.ts'

/** Knows every id, as its kind and itself. */
const KNOWING: Names = { nameOf: (kind, id) => ({ name: `${kind} ${id}`, stale: false }) }

const eventOf = (value: unknown, ids: { queueId?: string; userId?: string } = {}): Parameters<typeof namesBeside>[0] => ({
  raw: Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
  queueId: ids.queueId ?? null,
  userId: ids.userId ?? null,
})

test('the ids of a real event have their names beside it', () => {
  const folder = fileURLToPath(new URL('../../test/fixtures/genesys/', import.meta.url))
  const path = readdirSync(folder, { recursive: true, encoding: 'utf8' }).find((name) => name.endsWith('acd_end.json'))
  const raw = readFileSync(`${folder}${path}`, 'utf8')
  const { eventBody } = (JSON.parse(raw) as { detail: { eventBody: Record<string, string> } }).detail
  const found = namesBeside(eventOf(raw), KNOWING) ?? assert.fail()
  assert.deepEqual(found[eventBody['queueId'] ?? ''], { kind: 'queue', name: `queues ${eventBody['queueId']}` })
  assert.deepEqual(found[eventBody['divisionId'] ?? '']?.kind, 'division')
  for (const id of Object.keys(found)) assert.ok(raw.includes(id))
})

test('ids in fields, lists and nested things are all found, each as its kind', () => {
  const body = {
    queueId: 'q1',
    activeQueueIds: ['q2', 5, 'q3'],
    queue: { id: 'q4' },
    userId: 'u1',
    answeredUserId: 'u2',
    requestedRoutingUserIds: ['u3'],
    user: { id: 'u4' },
    divisionId: 'd1',
    divisionIds: ['d2'],
    wrapupCode: 'w1',
    flowId: 'f1',
    participants: [{ calls: [{ wrapup: { code: 'w2', name: 'x' }, wrapUpCode: 'w3' }], queue: { id: 'q5' }, user: null }],
    subject: 'q9',
  }
  const found = namesBeside(eventOf({ topicName: 'x', eventBody: body }), KNOWING) ?? {}
  const byKind = Object.groupBy(Object.entries(found), ([, { kind }]) => kind)
  const ids = Object.fromEntries(Object.entries(byKind).map(([kind, entries]) => [kind, entries.map(([id]) => id).sort()]))
  assert.deepEqual(ids, {
    queue: ['q1', 'q2', 'q3', 'q4', 'q5'],
    user: ['u1', 'u2', 'u3', 'u4'],
    division: ['d1', 'd2'],
    wrapupCode: ['w1', 'w2', 'w3'],
    flow: ['f1'],
  })
})

test('an id that only the topic has is named too', () => {
  assert.deepEqual(namesBeside(eventOf({ eventBody: {} }, { userId: 'u1', queueId: 'q1' }), KNOWING), {
    q1: { kind: 'queue', name: 'queues q1' },
    u1: { kind: 'user', name: 'users u1' },
  })
})

test('stale is said, unknown is left out, nothing is null', () => {
  const names: Names = { nameOf: (_kind, id) => (id === 'old' ? { name: 'Old', stale: true } : null) }
  assert.deepEqual(namesBeside(eventOf({ queueId: 'old', userId: 'unknown' }), names), { old: { kind: 'queue', name: 'Old', stale: true } })
  assert.equal(namesBeside(eventOf({ queueId: 'unknown' }), names), null)
})

test('odd keys are keys', () => {
  const found = namesBeside(eventOf('{"queueId":"__proto__","userId":"constructor"}'), KNOWING)
  assert.equal(
    JSON.stringify(found),
    '{"__proto__":{"kind":"queue","name":"queues __proto__"},"constructor":{"kind":"user","name":"users constructor"}}',
  )
})

test('whatever is in an event, it ends, throws nothing and stays bounded', () => {
  fc.assert(fc.property(fc.oneof(fc.json(), fc.string()), (text) => void namesBeside(eventOf(text), KNOWING)))
  const wide = { eventBody: { divisionIds: Array.from({ length: 100_000 }, (_, i) => `d${i}`), queueId: 'x'.repeat(1_000_000) } }
  assert.equal(Object.keys(namesBeside(eventOf(wide), KNOWING) ?? {}).length, 100)
  const deep = `${'{"a":'.repeat(900)}{"queueId":"q1"}${'}'.repeat(900)}`
  assert.equal(namesBeside(eventOf(deep), KNOWING), null)
  const many = { list: Array.from({ length: 200_000 }, () => ({})), queueId: 'q1' }
  assert.deepEqual(Object.keys(namesBeside(eventOf(many), KNOWING) ?? {}), ['q1'])
})

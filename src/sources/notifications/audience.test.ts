/** Ids of the configuration that the organization does not have: named once, with what was meant, and their neighbours still come. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rig } from '../../../test/sources/source-rig.ts'

const topics = ['v2.users.{id}.presence', 'v2.routing.queues.{id}.conversations']

test('unknown ids are named; a name is answered with its id', async (t) => {
  const it = await rig(t, {
    settings: { topics, users: ['u1', 'u7'], queues: ['BILLING', 'q1'] },
    prepare: (genesys) => {
      genesys.queueIds = ['q1', 'q2']
      genesys.queueName = (id) => (id === 'q2' ? 'Billing' : id)
    },
  })
  await it.source.start()
  await it.playUntil('it is connected', () => it.source.connected)
  await it.play(25 * 60_000)
  assert.deepEqual(it.said, [
    '"u7" in genesys.notifications.users is not the id of an active user of the organization that the OAuth client can see; ' +
      '"BILLING" in genesys.notifications.queues is not the id of a queue, but a name: the id is q2.',
  ])
  assert.deepEqual([it.genesys.count('users'), it.genesys.count('queues')], [1, 1], 'the lists are read once')
  it.genesys.publish('v2.users.u1.presence', { n: 1 })
  await it.play(5_000)
  assert.equal(it.taken.length, 1)
})

test('ids that cannot be looked up are no reason to stop', async (t) => {
  const it = await rig(t, { settings: { topics, users: ['u1'], queues: ['q1'] }, prepare: (genesys) => genesys.failing.add('users') })
  await it.source.start()
  await it.playUntil('it is connected', () => it.source.connected)
  await it.play(60_000)
  assert.deepEqual(it.said, [])
})

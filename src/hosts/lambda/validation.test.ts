import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import type { TrunklineConfig } from '../../config/config.ts'
import { shippedSchemas } from '../../schemas.ts'
import { memoryStore } from '../../stores/memory.ts'
import { receiver, type Receiver } from '../../testing/receiver.ts'
import { sqsMessage } from '../../testing/sqs-event.ts'
import type { SqsOptions } from './options.ts'
import { sqs } from './sqs.ts'

const ended: Receiver[] = []
afterEach(async () => {
  for (const at of ended.splice(0)) await at.close()
})

const TOPIC = 'v2.detail.events.conversation.{id}.acd.end'
const CONVERSATION = '7c1d7a52-9d0e-4c38-8a53-0f5b1f7f5a10'

function acdEnd(id: number, more: object): string {
  const eventTime = 1_767_603_600_000 + id
  return JSON.stringify({
    version: '0',
    id: `00000000-0000-4000-8000-00000000000${id}`,
    'detail-type': TOPIC,
    source: 'aws.partner/genesys.com/cloud/0f3c1d6e-52f4-4d7e-9a53-6c3b8f1f2a10/main',
    time: '2026-01-05T09:00:00Z',
    detail: {
      topicName: TOPIC.replace('{id}', CONVERSATION),
      version: '2',
      eventBody: { eventTime, conversationId: CONVERSATION, ...more },
      timestamp: new Date(eventTime + 300).toISOString(),
    },
  })
}

const RECORDS = [
  sqsMessage('fits', acdEnd(1, { acdOutcome: 'ANSWERED' })),
  sqsMessage('value', acdEnd(2, { acdOutcome: 'TELEPORTED' })),
  sqsMessage('type', acdEnd(3, { queueId: 7 })),
]

async function invoked(policy: NonNullable<TrunklineConfig['schemas']>['policy'], options: Partial<SqsOptions> = {}) {
  const at = await receiver()
  ended.push(at)
  const ends: Record<string, string> = {}
  const drift: string[] = []
  const warnings: string[] = []
  const handler = sqs({
    config: { schemas: { policy }, routes: { crm: { sink: { type: 'http', url: at.url } } } },
    store: memoryStore(),
    env: {},
    schemas: shippedSchemas(),
    deadLetter: async (_event, { reason, detail }) => void drift.push(`dead ${reason} ${detail}`),
    onSettled: ({ messageId, ending }) => (ends[messageId] = ending),
    onDrift: (_event, findings) => void drift.push(findings.map(({ class: name, path }) => `${name} ${path}`).join()),
    warn: (code) => warnings.push(code),
    ...options,
  })
  const answer = await handler({ Records: RECORDS })
  return { at, ends, drift, warnings, answer }
}

test('drift is told and delivered where the policy accepts it', async () => {
  const { at, ends, drift, answer } = await invoked({})
  assert.deepEqual(ends, { fits: 'delivered', value: 'delivered', type: 'delivered' })
  assert.deepEqual(drift, ['new_value acdOutcome', 'changed_type queueId'])
  assert.equal(at.received.length, 3)
  assert.deepEqual(answer, { batchItemFailures: [] })
})

test('a policy tags and quarantines as on one machine', async () => {
  const { at, ends, drift } = await invoked({ [TOPIC]: { new_value: 'tag', changed_type: 'quarantine' } })
  assert.deepEqual(ends, { fits: 'delivered', value: 'delivered', type: 'dead' })
  const marks = at.received.flatMap(({ body }) => JSON.parse(body).trunkline.marks ?? [])
  assert.deepEqual([at.received.length, marks], [2, ['drift.new_value']])
  assert.ok(
    drift.some((line) => line.startsWith('dead validate.quarantined changed_type queueId')),
    drift.join('; '),
  )
})

test('what onDrift throws is reported and changes nothing', async () => {
  const { ends, warnings } = await invoked(
    {},
    {
      onDrift: () => {
        throw new Error('mine')
      },
    },
  )
  assert.deepEqual(Object.values(ends), ['delivered', 'delivered', 'delivered'])
  assert.deepEqual(warnings, ['lambda.observer_threw', 'lambda.observer_threw'])
})

test('a policy that nobody could carry out is refused', async () => {
  await assert.rejects(invoked({ '*': 'quarantine' }, { schemas: undefined }), { code: 'lambda.schemas_needed' })
})

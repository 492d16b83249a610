/** Every shipped Genesys sample, with what a reader of the file would say it is about. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { sample, sampleNames } from '../../test/fixtures/genesys/samples.ts'
import type { SampleFolder } from '../../test/fixtures/genesys/samples.ts'
import { decode, DEFAULT_MAX_BYTES } from './decode.ts'
import type { DecodedEvent } from './event.ts'

type Expected = Partial<Omit<DecodedEvent, 'raw' | 'key' | 'envelopeKey'>>

const utc = (iso: string): number => Date.parse(iso)
const PARTNER = 'aws.partner/genesys.com/cloud/00000000-0000-0000-0000-000000000000/genesys_acme'
const PARTNER_TEST = 'aws.partner/genesys.com.test/cloud/32aa07aa-db1b-4987-abd0-9483601ec29d/test-event-bus'
const SANITIZED: Expected = {
  format: 'eventbridge',
  source: PARTNER,
  orgId: '00000000-0000-0000-0000-000000000000',
  envelopeId: 'test-eventbridge-id',
  params: ['test-conversation-id'],
  entity: { kind: 'conversation', id: 'test-conversation-id' },
  conversationId: 'test-conversation-id',
  userId: null,
  layers: [],
  marks: [],
  failure: null,
  keyKind: 'semantic',
}
const BLUEPRINT: Expected = {
  ...SANITIZED,
  source: PARTNER_TEST,
  orgId: '32aa07aa-db1b-4987-abd0-9483601ec29d',
  params: ['2f7bf00a-0fc2-4d6a-9b56-92238191433e'],
  entity: { kind: 'conversation', id: '2f7bf00a-0fc2-4d6a-9b56-92238191433e' },
  conversationId: '2f7bf00a-0fc2-4d6a-9b56-92238191433e',
  queueId: null,
  publishedAtMs: utc('2022-04-06T09:30:45.013Z'),
}
const WEBSOCKET: Expected = {
  format: 'notification',
  source: 'genesys.notifications',
  orgId: null,
  envelopeId: null,
  publishedAtMs: null,
  layers: [],
}

const EVENTS: Record<SampleFolder, Record<string, Expected>> = {
  eventbridge: {
    acd_end: {
      ...SANITIZED,
      topic: 'v2.detail.events.conversation.{id}.acd.end',
      topicName: 'v2.detail.events.conversation.test-conversation-id.acd.end',
      queueId: 'test-queue-id',
      occurredAtMs: 1765551865126,
      publishedAtMs: utc('2025-12-12T15:04:25.431Z'),
    },
    customer_end: {
      ...SANITIZED,
      topic: 'v2.detail.events.conversation.{id}.customer.end',
      queueId: null,
      occurredAtMs: 1765551713383,
      publishedAtMs: utc('2025-12-12T15:01:53.761Z'),
    },
    flow_end: {
      ...SANITIZED,
      topic: 'v2.detail.events.conversation.{id}.flow.end',
      queueId: null,
      occurredAtMs: 1765551630042,
      publishedAtMs: utc('2025-12-12T15:00:30.320Z'),
    },
    attributes: {
      ...SANITIZED,
      source: 'aws.partner/genesys.com/cloud/test',
      orgId: 'test',
      envelopeId: 'test-event-id',
      topic: 'v2.detail.events.conversation.{id}.attributes',
      topicName: 'v2.conversations.test.attributes',
      params: [],
      marks: ['topic.mismatch'],
      queueId: null,
      occurredAtMs: 1765356238647,
      publishedAtMs: utc('2025-12-10T08:43:58.648Z'),
    },
    transcription_ongoing_2utterances: {
      ...SANITIZED,
      envelopeId: 'test-eventbridge-id-1',
      topic: 'v2.conversations.{id}.transcription',
      params: ['test-conversation-id-1'],
      entity: { kind: 'conversation', id: 'test-conversation-id-1' },
      conversationId: 'test-conversation-id-1',
      queueId: null,
      occurredAtMs: utc('2025-12-10T08:44:30.264Z'),
      publishedAtMs: utc('2025-12-10T08:44:30.264Z'),
    },
    transcription_session_ended: {
      ...SANITIZED,
      envelopeId: 'test-eventbridge-id-2',
      topic: 'v2.conversations.{id}.transcription',
      params: ['test-conversation-id-2'],
      entity: { kind: 'conversation', id: 'test-conversation-id-2' },
      conversationId: 'test-conversation-id-2',
      queueId: null,
      occurredAtMs: utc('2025-12-10T08:45:01.912Z'),
      publishedAtMs: utc('2025-12-10T08:45:01.912Z'),
    },
    audits_oauthclient_delete: {
      ...SANITIZED,
      source: 'aws.partner/genesys.com/cloud/23faea37-1117-4c0a-88a2-572c46780b03/quickstart-test',
      orgId: '23faea37-1117-4c0a-88a2-572c46780b03',
      envelopeId: 'e9938ff0-50e2-45f8-950f-ad02d95fee85',
      topic: 'v2.audits.entitytype.{id}.entityid.{id}',
      topicName: 'v2.audits.entitytype.OAuthClient.entityid.46a10c81-ca63-4bfe-bc9d-3fbf41ee06b5',
      params: ['OAuthClient', '46a10c81-ca63-4bfe-bc9d-3fbf41ee06b5'],
      entity: { kind: 'other', id: '46a10c81-ca63-4bfe-bc9d-3fbf41ee06b5' },
      conversationId: null,
      queueId: null,
      userId: 'd7ff136e-8f5a-4878-a0ae-e2138ad0345d',
      occurredAtMs: utc('2021-05-31T09:49:25.000Z'),
      publishedAtMs: utc('2021-05-31T09:49:26.031Z'),
    },
    blueprint_conversation_start_event: {
      ...BLUEPRINT,
      envelopeId: 'adbcfa5b-0116-4baa-b66b-a3f5902e95bf',
      topic: 'v2.detail.events.conversation.{id}.customer.start',
      occurredAtMs: 1649237444949,
    },
    blueprint_conversation_end_event: {
      ...BLUEPRINT,
      envelopeId: '58fb5dac-f077-4eec-a25f-c638dbdd4368',
      topic: 'v2.detail.events.conversation.{id}.customer.end',
      occurredAtMs: 1649237504949,
    },
    blueprint_conversation_end_event_no_external_contact_id: {
      ...BLUEPRINT,
      envelopeId: '58fb5dac-f077-4eec-a25f-c638dbdd4368',
      topic: 'v2.detail.events.conversation.{id}.customer.end',
      occurredAtMs: 1649237504949,
    },
  },
  websocket: {
    users_activity: {
      ...WEBSOCKET,
      topic: 'v2.users.{id}.activity',
      params: ['e40f28ea-fa86-493f-a5b8-d559c8533c96'],
      entity: { kind: 'user', id: 'e40f28ea-fa86-493f-a5b8-d559c8533c96' },
      userId: 'e40f28ea-fa86-493f-a5b8-d559c8533c96',
      conversationId: null,
      queueId: null,
      // routingStatus.startTime, 20 ms after presence.modifiedDate
      occurredAtMs: utc('2021-05-14T09:03:17.067Z'),
      marks: [],
      keyKind: 'semantic',
    },
    chat_member: {
      ...WEBSOCKET,
      topic: 'v2.conversations.chats.{id}.members',
      params: ['aa06a6fc-1fdf-4e59-b8a1-df3ca44f523e'],
      entity: { kind: 'conversation', id: 'aa06a6fc-1fdf-4e59-b8a1-df3ca44f523e' },
      conversationId: 'aa06a6fc-1fdf-4e59-b8a1-df3ca44f523e',
      occurredAtMs: utc('2019-06-18T16:59:09.689Z'),
      marks: ['topic.unknown'],
      keyKind: 'semantic',
    },
    system_socket_closing: {
      ...WEBSOCKET,
      topic: 'v2.system.socket_closing',
      params: [],
      entity: null,
      occurredAtMs: null,
      marks: [],
      keyKind: 'none',
      key: null,
    } as Expected,
  },
}

const CONTROL_FRAMES = [
  'channel_gone',
  'channel_metadata_heartbeat',
  'channel_metadata_pong',
  'client_ping',
  'client_subscribe',
  'subscribe_ok',
]

for (const folder of ['eventbridge', 'websocket'] as const) {
  for (const [name, expected] of Object.entries(EVENTS[folder])) {
    test(`${folder}/${name} decodes to the event it is`, () => {
      const bytes = sample(folder, name)
      const [first, ...others] = decode(bytes, { maxBytes: DEFAULT_MAX_BYTES })
      assert.equal(others.length, 0)
      assert.ok(first?.ok, first?.ok === false ? first.message : 'no result')
      for (const [field, value] of Object.entries(expected)) assert.deepEqual(first.event[field as keyof DecodedEvent], value, field)
      assert.equal(Buffer.from(first.event.raw).toString(), bytes.toString().trim())
      assert.equal(first.event.envelopeKey?.length ?? null, expected.envelopeId === null ? null : 16)
    })
  }
}

for (const name of CONTROL_FRAMES) {
  test(`websocket/${name} is a protocol frame, not an event`, () => {
    const bytes = sample('websocket', name)
    const [first] = decode(bytes, { maxBytes: DEFAULT_MAX_BYTES })
    assert.ok(first?.ok === false)
    assert.equal(first.code, 'decode.control_frame')
    assert.deepEqual(Buffer.from(first.bytes), bytes)
  })
}

test('no shipped sample is without an expectation', () => {
  assert.deepEqual(sampleNames('eventbridge').sort(), Object.keys(EVENTS.eventbridge).sort())
  assert.deepEqual(sampleNames('websocket').sort(), [...Object.keys(EVENTS.websocket), ...CONTROL_FRAMES].sort())
})

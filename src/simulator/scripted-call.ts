/**
 * One believable inbound call, from customer.start to after-call work, as the EventBridge envelopes Genesys would send.
 * Pure: ids come from the random source handed in, times from the start handed in. (The contact-centre simulator is a
 * work of its own; this keeps `trunkline dev` alive on an empty desk.)
 */
export type ScriptedEvent = { readonly afterMs: number; readonly envelope: object }

const ORG = '00000000-0000-4000-8000-0000000000aa'
const SOURCE = `aws.partner/genesys.com/cloud/${ORG}/simulated`
const QUEUES = ['5a1e0000-0000-4000-8000-000000000001', '5a1e0000-0000-4000-8000-000000000002', '5a1e0000-0000-4000-8000-000000000003']
const AGENTS = [
  'a6e70000-0000-4000-8000-000000000001',
  'a6e70000-0000-4000-8000-000000000002',
  'a6e70000-0000-4000-8000-000000000003',
  'a6e70000-0000-4000-8000-000000000004',
]

/** The events of one call; `afterMs` counts from `startAtMs`. `random` is in [0, 1). */
export function scriptedCall(startAtMs: number, random: () => number): readonly ScriptedEvent[] {
  const uuid = (): string => {
    const hex = Array.from({ length: 32 }, () => Math.floor(random() * 16).toString(16)).join('')
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`
  }
  const between = (low: number, high: number): number => Math.round(low + random() * (high - low))
  const pick = (list: readonly string[]): string => list[Math.floor(random() * list.length)] ?? list[0]!
  const conversationId = uuid()
  const customer = { participantId: uuid(), sessionId: uuid() }
  const acd = { participantId: uuid(), sessionId: uuid() }
  const agent = { participantId: uuid(), sessionId: uuid() }
  const queueId = pick(QUEUES)
  const userId = pick(AGENTS)
  const divisionId = '00000000-0000-4000-8000-0000000000d1'
  const call = {
    mediaType: 'VOICE',
    provider: 'Edge',
    direction: 'INBOUND',
    ani: `tel:+1555${String(between(0, 9_999_999)).padStart(7, '0')}`,
    dnis: 'tel:+15555550000',
  }
  const flow = { flowType: 'INBOUNDCALL', flowId: 'f10e0000-0000-4000-8000-000000000001', divisionId, flowVersion: '12.0' }
  const events: ScriptedEvent[] = []
  let atMs = 0
  const emit = (kind: string, who: object, body: object): void => {
    const topic = `v2.detail.events.conversation.{id}.${kind}`
    const eventTime = startAtMs + atMs
    const published = new Date(eventTime + between(250, 400)).toISOString()
    events.push({
      afterMs: atMs,
      envelope: {
        version: '0',
        id: uuid(),
        'detail-type': topic,
        source: SOURCE,
        account: '123456789012',
        time: `${published.slice(0, 19)}Z`,
        region: 'us-east-1',
        resources: [],
        detail: {
          topicName: topic.replace('{id}', conversationId),
          version: '2',
          eventBody: { eventTime, conversationId, ...who, ...body },
          metadata: { CorrelationId: uuid() },
          timestamp: published,
        },
      },
    })
  }
  const ivrMs = between(2_000, 6_000)
  const waitMs = between(1_000, 8_000)
  const talkMs = between(8_000, 30_000)
  const acwMs = between(3_000, 10_000)
  emit('customer.start', customer, call)
  atMs += 200
  emit('flow.start', acd, { ...call, ...flow })
  atMs += ivrMs
  emit('flow.end', acd, {
    ...call,
    ...flow,
    disconnectType: 'TRANSFER',
    connectedDurationMs: ivrMs,
    exitReason: 'TRANSFER',
    transferType: 'ACD',
  })
  atMs += 50
  emit('acd.start', acd, { ...call, queueId, divisionId })
  atMs += waitMs
  emit('acd.end', acd, {
    ...call,
    disconnectType: 'TRANSFER',
    queueId,
    divisionId,
    acdOutcome: 'ANSWERED',
    answeredUserId: userId,
    requestedRoutings: ['STANDARD'],
    usedRouting: 'STANDARD',
    connectedDurationMs: waitMs,
  })
  atMs += 100
  emit('user.start', agent, { ...call, userId, queueId, divisionId })
  atMs += talkMs
  emit('customer.end', customer, { ...call, disconnectType: 'PEER', interactingDurationMs: talkMs })
  emit('user.end', agent, {
    ...call,
    disconnectType: 'ENDPOINT',
    userId,
    queueId,
    divisionId,
    interactingDurationMs: talkMs,
    heldDurationMs: 0,
    alertingDurationMs: 100,
  })
  atMs += acwMs
  emit('wrapup', agent, { ...call, queueId, wrapupCode: 'c0de0000-0000-4000-8000-000000000001', wrapupDurationMs: acwMs })
  emit('acw', agent, { ...call, userId, queueId, divisionId, wrapupCode: 'c0de0000-0000-4000-8000-000000000001', wrapupDurationMs: acwMs })
  return events
}

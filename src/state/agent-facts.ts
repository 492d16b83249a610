/** The facts of `v2.users.{id}.*` and of queue membership. A user's activity says what three other topics say one by one, so it gives the same facts as they. */
import type { Event } from '../event/event.ts'
import { isObject, type JsonObject } from '../event/json.ts'
import type { AgentFact, Fact } from './fact.ts'
import { instantAt, wordAt, wordIn } from './fields.ts'
import { sinceAtMs } from './times.ts'

type Teller = (event: Event, body: JsonObject) => readonly Fact[]

/** Topic by topic. */
export const agentFacts: readonly (readonly [topic: string, tell: Teller])[] = [
  [
    'v2.users.{id}.presence',
    ofUser((of, event, body) => (body['primary'] === false ? [] : presenceFacts(of, event, body, event.occurredAtMs))),
  ],
  ['v2.users.{id}.routingStatus', ofUser(routingFacts)],
  [
    'v2.users.{id}.activity',
    ofUser((of, event, body) => {
      const presence = body['presence']
      return [
        ...(isObject(presence) ? presenceFacts(of, event, presence, instantAt(presence, 'modifiedDate')) : []),
        ...routingFacts(of, event, body),
        ...outOfOfficeFacts(of, event, body['outOfOffice']),
        ...activeQueuesFacts(of, event, body),
      ]
    }),
  ],
  ['v2.users.{id}.outofoffice', ofUser(outOfOfficeFacts)],
  ['v2.users.{id}.conversationsummary', ofUser(summaryFacts)],
  [
    'v2.routing.queues.{id}.users',
    (event, body) => {
      const of = wordIn(body, 'user', 'id') ?? wordAt(body, 'id')
      const { queueId } = event
      const joined = body['joined']
      if (of === null || queueId === null || typeof joined !== 'boolean') return []
      return [{ kind: 'membership', of, atMs: sinceAtMs(event, null), queueId, change: joined ? 'joined' : 'left' }]
    },
  ],
]

const MAX_QUEUES = 200
const MEDIA: readonly string[] = ['call', 'callback', 'email', 'message', 'chat', 'socialExpression', 'video']

function ofUser(tell: (of: string, event: Event, body: JsonObject) => readonly AgentFact[]): Teller {
  return (event, body) => (event.userId === null ? [] : tell(event.userId, event, body))
}

function presenceFacts(of: string, event: Event, body: JsonObject, modifiedAtMs: number | null): readonly AgentFact[] {
  const definition = body['presenceDefinition']
  const presence = isObject(definition) ? wordAt(definition, 'systemPresence') : null
  if (!isObject(definition) || presence === null) return []
  const atMs = sinceAtMs(event, modifiedAtMs)
  return [{ kind: 'presence', of, atMs, presence: upper(presence), definitionId: wordAt(definition, 'id') }]
}

function routingFacts(of: string, event: Event, body: JsonObject): readonly AgentFact[] {
  const routing = body['routingStatus']
  const status = isObject(routing) ? wordAt(routing, 'status') : null
  if (!isObject(routing) || status === null) return []
  return [{ kind: 'routing', of, atMs: sinceAtMs(event, instantAt(routing, 'startTime')), status: upper(status) }]
}

function outOfOfficeFacts(of: string, event: Event, body: unknown): readonly AgentFact[] {
  if (!isObject(body) || typeof body['active'] !== 'boolean') return []
  return [{ kind: 'outOfOffice', of, atMs: sinceAtMs(event, instantAt(body, 'modifiedDate')), active: body['active'] ? 'yes' : 'no' }]
}

function activeQueuesFacts(of: string, event: Event, body: JsonObject): readonly AgentFact[] {
  const list: unknown = body['activeQueueIds']
  if (!Array.isArray(list)) return []
  const ids = new Set<string>()
  for (const id of list.slice(0, MAX_QUEUES) as unknown[]) if (typeof id === 'string' && /^[^\s]{1,100}$/.test(id)) ids.add(id)
  const atMs = sinceAtMs(event, instantAt(body, 'dateActiveQueuesChanged'))
  return [{ kind: 'queues', of, atMs, queueIds: [...ids].sort().join(' ') }]
}

function summaryFacts(of: string, event: Event, body: JsonObject): readonly AgentFact[] {
  let active = 0
  let acw = 0
  for (const medium of MEDIA) {
    const sums = body[medium]
    if (!isObject(sums)) continue
    for (const part of ['contactCenter', 'enterprise'] as const) {
      const sum = sums[part]
      if (!isObject(sum)) continue
      active += countAt(sum, 'active')
      acw += countAt(sum, 'acw')
    }
  }
  return [{ kind: 'summary', of, atMs: sinceAtMs(event, null), active, acw }]
}

function countAt(body: JsonObject, name: string): number {
  const value = body[name]
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : 0
}

/** `AVAILABLE` in events, "On Queue" in answers of the API. */
function upper(word: string): string {
  return word.toUpperCase().replaceAll(' ', '_')
}

/**
 * From an event to its facts. Tolerant of everything: a body that says nothing usable gives no facts, a field of another type is
 * as if it were absent. An event gives the same facts every time it is told.
 */
import { isObject, type JsonObject } from '../event/json.ts'
import type { Event } from '../event/event.ts'
import { agentFacts } from './agent-facts.ts'
import { endedFact, startedFact } from './session-facts.ts'
import type { Fact, Side } from './fact.ts'
import { cut, durationAt, firstWordAt, instantAt, wordAt } from './fields.ts'
import { snapshotFacts } from './snapshot-facts.ts'
import { happenedAtMs } from './times.ts'

/** The facts of an event; none for topics that state does not fold. `body` is the parsed `eventBody`. */
export function factsOf(event: Event, body: unknown): readonly Fact[] {
  const tell = TELLERS.get(event.topic)
  return tell === undefined || !isObject(body) ? NOTHING : tell(event, body)
}

/** The topic templates that state folds. */
export function foldedTopics(): readonly string[] {
  return [...TELLERS.keys()]
}

type Teller = (event: Event, body: JsonObject) => readonly Fact[]

const NOTHING: readonly Fact[] = []
const MAX_ATTRIBUTES = 200
const MAX_NAME_CHARS = 200

/** What happens in a conversation; nothing without its id. */
function inConversation(tell: (of: string, atMs: number, body: JsonObject) => readonly Fact[]): Teller {
  return (event, body) =>
    event.conversationId === null ? NOTHING : tell(event.conversationId, happenedAtMs(event, event.occurredAtMs), body)
}

function starts(side: Side): Teller {
  return inConversation((of, atMs, body) => {
    const started = startedFact(of, atMs, side, body)
    if (side !== 'customer') return [started]
    const contact = contactFact(of, atMs, body)
    return contact === null ? [started] : [started, contact]
  })
}

function ends(side: Side): Teller {
  return inConversation((of, atMs, body) => {
    const ended = endedFact(of, atMs, side, body)
    if (side !== 'customer') return [ended]
    const contact = contactFact(of, atMs, body)
    // The end may close a conversation so old that nothing more is taken after it.
    return contact === null ? [ended] : [contact, ended]
  })
}

function wraps(kind: 'acw' | 'wrapup'): Teller {
  return inConversation((of, atMs, body) => [
    {
      kind,
      of,
      atMs,
      sessionId: wordAt(body, 'sessionId') ?? wordAt(body, 'participantId') ?? '',
      participantId: wordAt(body, 'participantId'),
      userId: wordAt(body, 'userId'),
      queueId: wordAt(body, 'queueId'),
      wrapupCode: wordAt(body, 'wrapupCode'),
      durationMs: durationAt(body, 'wrapupDurationMs'),
    },
  ])
}

function contactFact(of: string, atMs: number, body: JsonObject): Fact | null {
  const contactId = wordAt(body, 'externalContactId') ?? firstWordAt(body, 'conversationExternalContactIds')
  const organizationId = wordAt(body, 'externalOrganizationId') ?? firstWordAt(body, 'conversationExternalOrganizationIds')
  return contactId === null && organizationId === null ? null : { kind: 'contact', of, atMs, contactId, organizationId }
}

function attributeFacts(of: string, atMs: number, body: JsonObject): readonly Fact[] {
  const attributes = body['attributes']
  if (!isObject(attributes)) return NOTHING
  const participantId = wordAt(body, 'participantId')
  const facts: Fact[] = []
  // Names come from outside, `__proto__` among them: read as own entries, kept as values.
  for (const [name, value] of Object.entries(attributes)) {
    if (facts.length === MAX_ATTRIBUTES) break
    if (name.length > MAX_NAME_CHARS || (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean')) continue
    facts.push({ kind: 'attribute', of, atMs, participantId, name, value: cut(String(value)) })
  }
  return facts
}

function phaseFacts(event: Event, body: JsonObject): readonly Fact[] {
  const of = event.conversationId
  const state = wordAt(body, 'currentState')
  if (of === null || state === null) return NOTHING
  return [
    {
      kind: 'phase',
      of,
      atMs: happenedAtMs(event, event.occurredAtMs),
      sessionId: wordAt(body, 'sessionId') ?? '',
      userId: event.userId,
      queueId: wordAt(body, 'queueId'),
      mediaType: wordAt(body, 'mediaType'),
      state,
      sessionStartMs: instantAt(body, 'sessionStart'),
    },
  ]
}

const CONVERSATION = 'v2.detail.events.conversation.{id}.'

const TELLERS: ReadonlyMap<string, Teller> = new Map<string, Teller>([
  [`${CONVERSATION}customer.start`, starts('customer')],
  [`${CONVERSATION}customer.end`, ends('customer')],
  [`${CONVERSATION}flow.start`, starts('flow')],
  [`${CONVERSATION}flow.end`, ends('flow')],
  [`${CONVERSATION}acd.start`, starts('acd')],
  [`${CONVERSATION}acd.end`, ends('acd')],
  [`${CONVERSATION}user.start`, starts('user')],
  [`${CONVERSATION}user.end`, ends('user')],
  [`${CONVERSATION}voicemail.start`, starts('voicemail')],
  [`${CONVERSATION}voicemail.end`, ends('voicemail')],
  [`${CONVERSATION}acw`, wraps('acw')],
  [`${CONVERSATION}wrapup`, wraps('wrapup')],
  [`${CONVERSATION}attributes`, inConversation(attributeFacts)],
  [
    `${CONVERSATION}contact`,
    inConversation((of, atMs, body) => {
      const contact = contactFact(of, atMs, body)
      return contact === null ? NOTHING : [contact]
    }),
  ],
  [
    `${CONVERSATION}flow.outcome`,
    inConversation((of, atMs, body) => [
      {
        kind: 'outcome',
        of,
        atMs,
        sessionId: wordAt(body, 'sessionId') ?? '',
        flowId: wordAt(body, 'flowId'),
        outcomeId: wordAt(body, 'flowOutcomeId'),
        value: wordAt(body, 'flowOutcomeValue'),
      },
    ]),
  ],
  [
    `${CONVERSATION}outbound`,
    inConversation((of, atMs, body) => [
      {
        kind: 'campaign',
        of,
        atMs,
        campaignId: wordAt(body, 'outboundCampaignId'),
        contactListId: wordAt(body, 'outboundContactListId'),
        contactId: wordAt(body, 'outboundContactId'),
      },
    ]),
  ],
  ['v2.detail.events.agent.{id}.state', phaseFacts],
  ...agentFacts,
  ...snapshotFacts,
])

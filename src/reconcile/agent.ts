/**
 * What an agent is doing by the state beside what the API says. Only what events have told of is compared: who does not receive
 * presences is not told any. The API's answer may be older than an event that came while it was under way, so times decide: what is
 * newer here is never put back.
 */
import { readInstant } from '../event/times.ts'
import type { UserStatus } from '../genesys/platform.ts'
import type { AgentState } from '../state/agent-state.ts'
import { ANSWER_LAG_MS, ON_ITS_WAY_MS, type Comparison, type Finding, type Repair, type Said } from './finding.ts'

export type AgentSides = {
  readonly here: AgentState
  readonly there: UserStatus
  /** When the API was asked. */
  readonly askedAtMs: number
}

/** What differs in presence and routing status. */
export function compareAgent({ here, there, askedAtMs }: AgentSides): readonly Comparison[] {
  const id = here.userId
  const { presence, routingStatus } = there
  const found: (Comparison | null)[] = []
  if (here.presence !== null && presence !== null) {
    const said = { value: upper(presence.systemPresence), sinceMs: readInstant(presence.modifiedDate) }
    const mine = { value: here.presence, sinceMs: here.presenceSinceMs }
    found.push(compare({ id, about: 'presence', here: mine, there: said }, askedAtMs, () => presenceEvent(id, presence)))
  }
  if (here.routingStatus !== null && routingStatus !== null) {
    const said = { value: upper(routingStatus.status), sinceMs: readInstant(routingStatus.startTime) }
    const mine = { value: here.routingStatus, sinceMs: here.routingSinceMs }
    found.push(compare({ id, about: 'routingStatus', here: mine, there: said }, askedAtMs, () => routingEvent(id, routingStatus)))
  }
  return found.filter((one) => one !== null)
}

/** Since when the state has heard nothing of the agent; null when it never has of what is compared. */
export function silentSinceMs({ presenceSinceMs, routingSinceMs }: AgentState): number | null {
  if (presenceSinceMs === null && routingSinceMs === null) return null
  return Math.max(presenceSinceMs ?? -Infinity, routingSinceMs ?? -Infinity)
}

/** What the state says of an agent. */
export function saidOf({ presence, presenceSinceMs, routingStatus, routingSinceMs }: AgentState): Said {
  return presence === null ? { value: routingStatus, sinceMs: routingSinceMs } : { value: presence, sinceMs: presenceSinceMs }
}

/** The same status since a time that differs by less is the same. */
const TOLERANCE_MS = 2_000

type Sides = Pick<Finding, 'id' | 'about' | 'here' | 'there'>

function compare(sides: Sides, askedAtMs: number, event: () => Repair): Comparison | null {
  const { here, there } = sides
  const hereMs = here.sinceMs ?? -Infinity
  const isSame = here.value === there.value
  if (isSame && (there.sinceMs === null || there.sinceMs <= hereMs + TOLERANCE_MS)) return null
  if (there.sinceMs !== null && there.sinceMs > askedAtMs - ON_ITS_WAY_MS) return null
  const isNewerHere = there.sinceMs !== null && there.sinceMs <= hereMs
  // An event that the answer does not know of yet.
  if (isNewerHere && hereMs >= askedAtMs - ANSWER_LAG_MS) return null
  const obstacle = there.sinceMs === null ? 'no_time' : isNewerHere ? 'newer_here' : null
  // The same again: it was something else in between.
  const finding: Finding = { ...sides, kind: isSame ? 'gap' : 'mismatch', entity: 'agent', obstacle }
  return { finding, repairs: obstacle === null ? [event()] : [] }
}

/** As Genesys publishes it, with what the API gave. */
function presenceEvent(id: string, { systemPresence, definitionId, modifiedDate }: NonNullable<UserStatus['presence']>): Repair {
  const definition = { ...(definitionId === null ? {} : { id: definitionId }), systemPresence: upper(systemPresence) }
  return { topicName: `v2.users.${id}.presence`, body: { presenceDefinition: definition, primary: true, modifiedDate } }
}

function routingEvent(id: string, { status, startTime }: NonNullable<UserStatus['routingStatus']>): Repair {
  return { topicName: `v2.users.${id}.routingStatus`, body: { id, routingStatus: { status: upper(status), startTime } } }
}

/** `AVAILABLE` in events, "On Queue" in answers of the API. */
function upper(word: string): string {
  return word.toUpperCase().replaceAll(' ', '_')
}

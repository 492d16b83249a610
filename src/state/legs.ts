/** An agent's part in a conversation, and a stay in a queue, read off the timeline. Durations come from the events' own fields where they are told, else from time. */
import type { Phase } from './fact.ts'
import { isOver, said, type Stretch } from './timeline.ts'

/** One stay in a queue. */
export type Visit = {
  readonly sessionId: string
  readonly queueId: string | null
  readonly mediaType: string | null
  readonly enteredAtMs: number
  readonly leftAtMs: number | null
  /** `ANSWERED`, `ABANDON`, `FLOW_OUT`, or what else Genesys says; null when nobody said how it ended. */
  readonly outcome: string | null
  readonly answeredUserId: string | null
}

/** One agent's part, as far as queues and agents are concerned. */
export type Leg = {
  readonly userId: string | null
  readonly queueId: string | null
  readonly startedAtMs: number
  /** Since when more than ringing; null when it never was. */
  readonly connectedAtMs: number | null
  readonly endedAtMs: number | null
}

/** How the time of a leg was spent. */
export type Spent = {
  readonly alertMs: number
  readonly dialMs: number
  readonly talkMs: number
  readonly holdMs: number
  readonly acwMs: number
}

/** The stays in queues. Who is still waiting when the conversation is over has left with it. */
export function visitsOf(stretches: readonly Stretch[], closedAtMs: number | null): readonly Visit[] {
  const visits: Visit[] = []
  for (const stretch of stretches) {
    if (stretch.side !== 'acd') continue
    visits.push({
      sessionId: stretch.sessionId,
      queueId: said(stretch, 'queueId'),
      mediaType: said(stretch, 'mediaType'),
      enteredAtMs: stretch.startedAtMs,
      leftAtMs: stretch.endedAtMs ?? (closedAtMs === null ? null : Math.max(stretch.startedAtMs, closedAtMs)),
      outcome: stretch.end?.outcome ?? null,
      answeredUserId: stretch.end?.answeredUserId ?? null,
    })
  }
  return visits
}

/** The leg that a stretch of an agent is. */
export function legOf(stretch: Stretch, visits: readonly Visit[]): Leg {
  const userId = said(stretch, 'userId')
  const queueId = said(stretch, 'queueId')
  const { startedAtMs, endedAtMs } = stretch
  return { userId, queueId, startedAtMs, connectedAtMs: connectedAt(stretch, userId, queueId, visits), endedAtMs }
}

/** How the time of a leg was spent up to an instant. */
export function spentIn(stretch: Stretch, connectedAtMs: number | null, asOfMs: number): Spent {
  const { end, phases, startedAtMs, endedAtMs } = stretch
  const untilMs = endedAtMs === null ? asOfMs : Math.min(asOfMs, endedAtMs)
  const acwMs = afterCallMs(stretch, asOfMs)
  if (end !== null && end.atMs <= asOfMs && end.talkMs !== null)
    return { alertMs: end.alertMs ?? 0, dialMs: end.dialMs ?? 0, talkMs: end.talkMs, holdMs: end.holdMs ?? 0, acwMs }
  const spent = { alertMs: 0, dialMs: 0, talkMs: 0, holdMs: 0, acwMs }
  if (phases.length === 0) {
    const answeredAtMs = Math.min(untilMs, connectedAtMs ?? Infinity)
    spent.alertMs = Math.max(0, answeredAtMs - startedAtMs)
    spent.talkMs = Math.max(0, untilMs - answeredAtMs)
    return spent
  }
  phases.forEach((phase, n) => {
    const name = SPENT_AS.get(phase.state)
    if (name === undefined) return
    const toMs = Math.min(untilMs, phases[n + 1]?.atMs ?? Infinity)
    spent[name] += Math.max(0, toMs - phase.atMs)
  })
  return spent
}

/** The state of a leg at an instant, in the words of `currentState`. */
export function stateOf(stretch: Stretch, leg: Leg, asOfMs: number): string {
  const phase = stretch.phases.findLast(({ atMs }) => atMs <= asOfMs)
  const isEnded = leg.endedAtMs !== null && leg.endedAtMs <= asOfMs
  if (phase !== undefined && (isOver(phase) || !isEnded))
    return phase.state === 'WRAPUP' && acwAt(stretch, asOfMs) !== undefined ? 'TERMINATED' : phase.state
  if (isEnded) return 'TERMINATED'
  return leg.connectedAtMs !== null && leg.connectedAtMs <= asOfMs ? 'INTERACT' : 'ALERT'
}

/** The wrap-up code chosen by an instant. */
export function wrapupCodeOf(stretch: Stretch, asOfMs: number): string | null {
  const wrap = stretch.wraps.findLast(({ atMs, wrapupCode }) => atMs <= asOfMs && wrapupCode !== null)
  if (wrap !== undefined) return wrap.wrapupCode
  return stretch.seen !== null && stretch.seen.atMs <= asOfMs ? stretch.seen.wrapupCode : null
}

const SPENT_AS: ReadonlyMap<string, 'alertMs' | 'dialMs' | 'talkMs' | 'holdMs'> = new Map([
  ['ALERT', 'alertMs'],
  ['CALLBACK', 'dialMs'],
  ['CONTACTING', 'dialMs'],
  ['DIALING', 'dialMs'],
  ['INTERACT', 'talkMs'],
  ['HOLD', 'holdMs'],
])

function acwAt({ wraps }: Stretch, asOfMs: number): Stretch['wraps'][number] | undefined {
  return wraps.findLast(({ kind, atMs }) => kind === 'acw' && atMs <= asOfMs)
}

function afterCallMs(stretch: Stretch, asOfMs: number): number {
  const { phases, endedAtMs } = stretch
  const acw = acwAt(stretch, asOfMs)
  if (acw !== undefined) return acw.durationMs ?? Math.max(0, acw.atMs - (endedAtMs ?? acw.atMs))
  const begun = phases.find(({ state, atMs }) => state === 'WRAPUP' && atMs <= asOfMs)
  if (begun === undefined) return 0
  const done = phases.find(({ state, atMs }) => state === 'TERMINATED' && atMs >= begun.atMs)
  return Math.max(0, Math.min(asOfMs, done?.atMs ?? Infinity) - begun.atMs)
}

/** By the agent's own states; where nobody told them, by who answered the queue, by talk that was told, and by a leg of theirs before. */
function connectedAt(
  { phases, end, startedAtMs, endedAtMs, seen }: Stretch,
  userId: string | null,
  queueId: string | null,
  visits: readonly Visit[],
): number | null {
  const answered = phases.find(isMoreThanRinging)
  if (answered !== undefined) return answered.atMs
  if (phases.length > 0 && (end === null || !talked(end))) return null
  if (queueId === null) return end === null || talked(end) ? startedAtMs : null
  let before = false
  for (const visit of visits) {
    if (visit.answeredUserId === null || visit.answeredUserId !== userId || visit.queueId !== queueId || visit.leftAtMs === null) continue
    if (visit.leftAtMs >= startedAtMs && visit.leftAtMs <= (endedAtMs ?? Infinity)) return visit.leftAtMs
    before ||= visit.leftAtMs < startedAtMs
  }
  if (before) return startedAtMs
  if (end !== null && talked(end)) return Math.max(startedAtMs, end.atMs - (end.talkMs ?? 0) - (end.holdMs ?? 0))
  return seen !== null && (seen.state === 'connected' || seen.state === 'held') ? (seen.startedAtMs ?? startedAtMs) : null
}

function talked({ talkMs, holdMs }: NonNullable<Stretch['end']>): boolean {
  return (talkMs ?? 0) + (holdMs ?? 0) > 0
}

function isMoreThanRinging(phase: Phase): boolean {
  return phase.state !== 'ALERT' && !isOver(phase)
}

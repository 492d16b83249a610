/**
 * From the facts of a conversation to its timeline: stretches of sessions, each with a beginning and perhaps an end. What was so at an
 * instant is read off it (conversation-state.ts, queue-state.ts), so a question about `asOf` gets the answer that all facts known
 * by now give. A beginning that nobody told is worked out from the end's own durations; an end that nobody told follows
 * from what cannot be otherwise, and from nothing else.
 */
import type { Ended, Fact, Phase, Seen, Side, Started, Wrapped } from './fact.ts'

/** One unbroken part of a session: an agent's leg, a stay in a queue, the customer on the line. */
export type Stretch = {
  readonly side: Side
  readonly sessionId: string
  readonly start: Started | null
  readonly end: Ended | null
  /** The newest snapshot of the session; counts where `start` or `end` is missing. */
  readonly seen: Seen | null
  readonly startedAtMs: number
  readonly endedAtMs: number | null
  /** States of an agent's leg, in order. */
  readonly phases: readonly Phase[]
  /** After-call work and wrap-up codes of a leg, in order. */
  readonly wraps: readonly Wrapped[]
}

/** The stretches of a conversation, by beginning. */
export function stretchesOf(facts: readonly Fact[]): readonly Stretch[] {
  // By id, and where an id is used on several sides, one by one.
  const sessions = new Map<string, Session>()
  const of = (side: Side, sessionId: string): Session => {
    let session = sessions.get(sessionId)
    while (session !== undefined && session.side !== side) {
      if (session.other === null) return (session.other = newSession(side, sessionId))
      session = session.other
    }
    if (session === undefined) {
      session = newSession(side, sessionId)
      sessions.set(sessionId, session)
    }
    return session
  }
  for (const fact of facts) {
    if (fact.kind === 'started') of(fact.side, fact.sessionId).starts.push(fact)
    else if (fact.kind === 'ended') of(fact.side, fact.sessionId).ends.push(fact)
    else if (fact.kind === 'seen') of(fact.side, fact.sessionId).seen = fact
    else if (fact.kind === 'phase') of('user', fact.sessionId).phases.push(fact)
    else if (fact.kind === 'acw' || fact.kind === 'wrapup') of('user', fact.sessionId).wraps.push(fact)
  }
  const stretches: Stretch[] = []
  for (const first of sessions.values())
    for (let session: Session | null = first; session !== null; session = session.other) stretches.push(...stretchesIn(session))
  return stretches.sort(byStart)
}

/** A state that says the agent is out of the conversation. */
export function isOver(phase: Phase): boolean {
  return phase.state === 'WRAPUP' || phase.state === 'TERMINATED'
}

/** Whether the stretch was under way at the instant. */
export function isOpen(stretch: Stretch, asOfMs: number): boolean {
  return stretch.startedAtMs <= asOfMs && (stretch.endedAtMs === null || stretch.endedAtMs > asOfMs)
}

/** The first that is not null of what the facts of a stretch say under a name. */
export function said(
  stretch: Stretch,
  name: 'participantId' | 'mediaType' | 'userId' | 'queueId' | 'direction' | 'provider' | 'from' | 'flowId',
): string | null {
  return (
    textAt(stretch.start, name) ??
    textAt(stretch.end, name) ??
    textAt(stretch.phases[0], name) ??
    textAt(stretch.wraps[0], name) ??
    textAt(stretch.seen, name)
  )
}

type Session = {
  readonly side: Side
  readonly sessionId: string
  readonly starts: Started[]
  readonly ends: Ended[]
  seen: Seen | null
  readonly phases: Phase[]
  readonly wraps: Wrapped[]
  /** With the same id on another side. */
  other: Session | null
}

function newSession(side: Side, sessionId: string): Session {
  return { side, sessionId, starts: [], ends: [], seen: null, phases: [], wraps: [], other: null }
}

type Pair = { readonly start: Started | null; end: Ended | null; readonly atMs: number }

function stretchesIn(session: Session): Stretch[] {
  const { side, sessionId, seen, phases, wraps } = session
  const pairs = pairsOf(session.starts, session.ends)
  const stretches = pairs.map((pair, n): Stretch => {
    const isLast = n === pairs.length - 1
    const nextMs = isLast ? Infinity : pairs[n + 1]!.atMs
    const fromMs = n === 0 ? -Infinity : pair.atMs
    const ownPhases =
      phases.length === 0 || (n === 0 && isLast)
        ? phases
        : phases.filter((phase) =>
            isOver(phase) ? phase.atMs > fromMs && phase.atMs <= nextMs : phase.atMs >= fromMs && phase.atMs < nextMs,
          )
    const ownWraps =
      wraps.length === 0 || (n === 0 && isLast)
        ? wraps
        : wraps.filter(({ atMs }) => atMs >= fromMs && (atMs < nextMs || nextMs === Infinity))
    const ownSeen = isLast ? seen : null
    return {
      side,
      sessionId,
      start: pair.start,
      end: pair.end,
      seen: ownSeen,
      startedAtMs:
        pair.start === null && ownSeen !== null && ownSeen.startedAtMs !== null ? Math.min(ownSeen.startedAtMs, pair.atMs) : pair.atMs,
      endedAtMs: notBefore(pair.atMs, pair.end?.atMs ?? impliedEnd(ownPhases, ownWraps, ownSeen)),
      phases: ownPhases,
      wraps: ownWraps,
    }
  })
  return stretches.length > 0 ? stretches : untoldStretch(session)
}

/** No `*.start` and no `*.end`: what the other facts of the session give. */
function untoldStretch({ side, sessionId, seen, phases, wraps }: Session): Stretch[] {
  const [phase] = phases
  const [wrap] = wraps
  const startedAtMs =
    seen?.startedAtMs ??
    (phase !== undefined
      ? Math.min(phase.sessionStartMs ?? phase.atMs, phase.atMs)
      : wrap !== undefined
        ? wrap.atMs - (wrap.durationMs ?? 0)
        : seen?.atMs)
  if (startedAtMs === undefined) return []
  const endedAtMs = notBefore(startedAtMs, impliedEnd(phases, wraps, seen))
  return [{ side, sessionId, start: null, end: null, seen, startedAtMs, endedAtMs, phases, wraps }]
}

/**
 * Starts and ends of one session, paired by time. An e-mail worked on in several actions has several of both. A start while the
 * session is under way is a repetition; an end while it is not has lost its start, if its durations leave room for one.
 */
function pairsOf(starts: readonly Started[], ends: readonly Ended[]): readonly Pair[] {
  const pairs: Pair[] = []
  let open: Pair | null = null
  let s = 0
  let e = 0
  while (s < starts.length || e < ends.length) {
    const start = starts[s]
    const end = ends[e]
    if (start !== undefined && (end === undefined || start.atMs < end.atMs || (start.atMs === end.atMs && open === null))) {
      s++
      if (open !== null) continue
      open = { start, end: null, atMs: start.atMs }
      pairs.push(open)
    } else if (end !== undefined) {
      e++
      if (open !== null) {
        open.end = end
        open = null
        continue
      }
      const spentMs = spentIn(end)
      const before = pairs.at(-1)
      if (before === undefined || (spentMs > 0 && end.atMs - spentMs >= (before.end?.atMs ?? Infinity)))
        pairs.push({ start: null, end, atMs: end.atMs - spentMs })
      else before.end = end
    }
  }
  return pairs
}

function spentIn({ connectedMs, alertMs, dialMs, talkMs, holdMs }: Ended): number {
  return connectedMs ?? (alertMs ?? 0) + (dialMs ?? 0) + (talkMs ?? 0) + (holdMs ?? 0)
}

/** An agent who writes up a conversation, or whose session is terminated, is out of it. */
function impliedEnd(phases: readonly Phase[], wraps: readonly Wrapped[], seen: Seen | null): number | null {
  const over = phases.find(isOver)
  if (over !== undefined) return over.atMs
  const acw = wraps.find(({ kind }) => kind === 'acw')
  if (acw !== undefined) return acw.atMs - (acw.durationMs ?? 0)
  return seen?.endedAtMs ?? null
}

function notBefore(startMs: number, endMs: number | null): number | null {
  return endMs === null ? null : Math.max(startMs, endMs)
}

function textAt(fact: Fact | undefined | null, name: string): string | null {
  const value = (fact as Readonly<Record<string, unknown>> | undefined | null)?.[name]
  return typeof value === 'string' ? value : null
}

/** Sessions that begin in the same instant: by side and id, so that the order does not depend on anything else. */
function byStart(a: Stretch, b: Stretch): number {
  if (a.startedAtMs !== b.startedAtMs) return a.startedAtMs - b.startedAtMs
  if (a.side !== b.side) return a.side < b.side ? -1 : 1
  return a.sessionId < b.sessionId ? -1 : a.sessionId > b.sessionId ? 1 : 0
}

/**
 * Stage `limit` per conversation: conversations are what is counted, and each is kept or dropped whole. The first event that is seen
 * of one takes the token; the verdict is remembered for a day, where all processes see it, and the others follow it. Delayed, all its
 * events wait for the time of its token.
 */
import type { Event } from '../event/event.ts'
import type { Rate } from '../pipeline/bucket.ts'
import { KEEP, type Outcome, type Resumed, type Stage, drop, hold, keepNoted } from '../pipeline/outcome.ts'
import { steadyClock } from '../pipeline/steady-clock.ts'
import { classifier } from './classify.ts'
import { GRACE_MS, Leases } from './leases.ts'
import type { LimitOptions } from './limit.ts'
import { Recent } from './recent.ts'

/** `kept` from a time on, `sampled` beside the cap, or `dropped`; and when and at which rate that was said. */
type Verdict = { readonly type: 'kept' | 'sampled' | 'dropped'; readonly atMs: number; readonly saidAtMs: number; readonly rate: Rate }

const REMEMBERED_MS = 24 * 3_600_000
const MAX_KNOWN = 100_000
const RETRY_MS = 1_000
/** A clock that is back by less may be another process's. */
const STEP_MS = 10_000
const ALL = '*'

export function conversationLimit(options: LimitOptions): Stage {
  const { limit, store, name } = options
  const steady = steadyClock(options.clock)
  const classify = classifier(options)
  const leases = new Leases(store, name, options.leaseMs)
  const known = new Recent<Verdict>(MAX_KNOWN)
  let overflowed = 0

  const valueKey = (id: string): string => `${name}|conversation|${id}`

  /** Verdicts for conversations that this process does not know. */
  const judge = async (ids: readonly string[], rate: Rate, nowMs: number): Promise<void> => {
    const look = ids.map((id) => ({ key: valueKey(id), value: null }))
    const there = await store.remember(look, nowMs, nowMs + REMEMBERED_MS)
    const unknown = ids.filter((id, i) => !learn(id, there[i] ?? null))
    if (unknown.length === 0) return
    const ahead = limit.overflow === 'delay'
    const [atMs = []] = await leases.take([{ key: ALL, rate, tokens: unknown.length, ahead, more: true }], nowMs)
    const ours = unknown.map((id, i) => ({ key: valueKey(id), value: textOf(verdictOf(atMs[i], rate, nowMs)) }))
    const first = await store.remember(ours, nowMs, nowMs + REMEMBERED_MS)
    for (const [i, id] of unknown.entries()) learn(id, first[i] ?? null)
  }

  const learn = (id: string, text: string | null): boolean => {
    const verdict = text === null ? null : verdictIn(text)
    if (verdict !== null) known.set(id, verdict)
    return verdict !== null
  }

  const verdictOf = (atMs: number | undefined, rate: Rate, nowMs: number): Verdict => {
    const said = { saidAtMs: nowMs, rate }
    if (atMs !== undefined) return { type: 'kept', atMs, ...said }
    if (limit.overflow === 'sample' && ++overflowed % limit.sampleOneIn === 0) return { type: 'sampled', atMs: nowMs, ...said }
    return { type: 'dropped', atMs: nowMs, ...said }
  }

  /** Conversations whose time has passed without them, or was told at another rate or by a clock that was wrong, book another. */
  const bookAgain = async (ids: readonly string[], rate: Rate, nowMs: number): Promise<void> => {
    const stale = ids.filter((id) => {
      const verdict = known.get(id)
      if (verdict?.type !== 'kept') return false
      const sameRate = verdict.rate.perSecond === rate.perSecond && verdict.rate.burst === rate.burst
      return !sameRate || verdict.atMs < nowMs - GRACE_MS || verdict.saidAtMs > nowMs + STEP_MS
    })
    if (stale.length === 0) return
    const [atMs = []] = await leases.take([{ key: ALL, rate, tokens: stale.length, ahead: true, more: false }], nowMs)
    for (const [i, id] of stale.entries()) known.set(id, verdictOf(atMs[i] ?? nowMs, rate, nowMs))
  }

  const outcomeOf = (id: string, nowMs: number): Outcome => {
    const verdict = known.get(id)
    if (verdict === undefined) return hold('limit.unavailable', Math.ceil(nowMs + RETRY_MS - steady.ahead()), { key: ALL })
    if (verdict.type === 'dropped') return drop('limit.rate', id)
    if (verdict.atMs > nowMs) return hold('limit.delayed', Math.ceil(verdict.atMs - steady.ahead()), { key: ALL })
    return verdict.type === 'sampled' ? keepNoted({ reason: 'limit.sampled', key: ALL, mark: null }) : KEEP
  }

  const run = async (events: readonly Event[], isOverdue: (i: number) => boolean = () => false): Promise<readonly Outcome[]> => {
    const nowMs = steady.nowMs()
    const verdicts = events.map((event) => (event.redelivered ? KEEP : classify(event, nowMs)))
    const unknown = new Set<string>()
    const overdue = new Set<string>()
    let rate: Rate | null = null
    for (const [i, verdict] of verdicts.entries()) {
      if (verdict.type !== 'limited') continue
      rate = verdict.rate
      if (known.get(verdict.key) === undefined) unknown.add(verdict.key)
      if (isOverdue(i)) overdue.add(verdict.key)
    }
    try {
      if (rate !== null && unknown.size > 0) await judge([...unknown], rate, nowMs)
      if (rate !== null && overdue.size > 0) await bookAgain([...overdue], rate, nowMs)
    } catch (error) {
      options.warn('limit.unavailable', `limits of ${name} cannot be asked for: ${(error as Error).message}; its events wait`)
      for (const id of overdue) known.delete(id)
    }
    return verdicts.map((verdict) => (verdict.type === 'limited' ? outcomeOf(verdict.key, nowMs) : verdict))
  }

  const resume = async (held: readonly Resumed[]): Promise<readonly Outcome[]> => {
    const latestMs = steady.nowMs() - steady.ahead() - GRACE_MS
    return run(
      held.map(({ event }) => event),
      (i) => held[i]?.reason === 'limit.unavailable' || (held[i]?.dueAtMs ?? 0) < latestMs,
    )
  }

  return { name: 'limit', run: (events) => run(events), resume }
}

const textOf = ({ type, atMs, saidAtMs, rate }: Verdict): string => [type, atMs, saidAtMs, rate.perSecond, rate.burst].join(' ')

function verdictIn(text: string): Verdict | null {
  const [type, ...numbers] = text.split(' ')
  if (type !== 'kept' && type !== 'sampled' && type !== 'dropped') return null
  const [atMs, saidAtMs, perSecond, burst] = numbers.map(Number)
  if (atMs === undefined || saidAtMs === undefined || perSecond === undefined || burst === undefined) return null
  return { type, atMs, saidAtMs, rate: { perSecond, burst } }
}

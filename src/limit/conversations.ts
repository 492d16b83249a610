/**
 * Stage `limit` per conversation: conversations are what is counted, and each is kept or dropped whole. The first event that is seen
 * of one takes the token; the verdict is remembered for a day, where all processes see it, and the others follow it. Delayed, all its
 * events wait for the time of its token. A token whose time had not come when the rate changed is void: another verdict takes its place.
 */
import type { Event } from '../event/event.ts'
import { STEP_MS } from '../pipeline/bucket.ts'
import { KEEP, type Outcome, type Resumed, type Stage, drop, hold, keepNoted } from '../pipeline/outcome.ts'
import { steadyClock } from '../pipeline/steady-clock.ts'
import { classifier } from './classify.ts'
import { GRACE_MS, Leases } from './leases.ts'
import type { LimitOptions } from './limit.ts'
import type { KeyRate } from './rates.ts'
import { Recent } from './recent.ts'

/** `kept` from a time on, `sampled` beside the cap, or `dropped`; when that was said, and by the rate that held since when. */
type Verdict = {
  readonly type: 'kept' | 'sampled' | 'dropped'
  readonly atMs: number
  readonly saidAtMs: number
  readonly sinceMs: number
}

const REMEMBERED_MS = 24 * 3_600_000
const MAX_KNOWN = 100_000
const RETRY_MS = 1_000
const ALL = '*'

export function conversationLimit(options: LimitOptions): Stage {
  const { terms, store, name } = options
  const { overflow, sampleOneIn } = terms().limit
  const steady = steadyClock(options.clock)
  const classify = classifier(options)
  const leases = new Leases(store, name, options.leaseMs)
  const known = new Recent<Verdict>(MAX_KNOWN)
  let overflowed = 0

  const valueKey = (id: string): string => `${name}|conversation|${id}`

  /** Verdicts for conversations of which this process knows none that holds (any more). */
  const judge = async (ids: readonly string[], isSaid: (verdict: Verdict) => boolean, rate: KeyRate, nowMs: number): Promise<void> => {
    const look = ids.map((id) => ({ key: valueKey(id), value: null }))
    const there = await store.remember(look, nowMs, nowMs + REMEMBERED_MS)
    for (const [i, id] of ids.entries()) learn(id, there[i] ?? null)
    const unknown = ids.filter((id) => {
      const verdict = known.get(id)
      return verdict === undefined || !isSaid(verdict)
    })
    if (unknown.length === 0) return
    const ahead = overflow === 'delay'
    const [atMs = []] = await leases.take([{ key: ALL, rate, tokens: unknown.length, ahead, more: true }], nowMs)
    const ours = unknown.map((id, i) => {
      const before = known.get(id)
      const value = textOf(verdictOf(atMs[i], rate, nowMs))
      return { key: valueKey(id), value, ...(before === undefined ? {} : { instead: textOf(before) }) }
    })
    const first = await store.remember(ours, nowMs, nowMs + REMEMBERED_MS)
    for (const [i, id] of unknown.entries()) learn(id, first[i] ?? null)
  }

  const learn = (id: string, text: string | null): void => {
    const verdict = text === null ? null : verdictIn(text)
    if (verdict !== null) known.set(id, verdict)
  }

  const verdictOf = (atMs: number | undefined, { sinceMs }: KeyRate, nowMs: number): Verdict => {
    const said = { saidAtMs: nowMs, sinceMs }
    if (atMs !== undefined) return { type: 'kept', atMs, ...said }
    if (overflow === 'sample' && ++overflowed % sampleOneIn === 0) return { type: 'sampled', atMs: nowMs, ...said }
    return { type: 'dropped', atMs: nowMs, ...said }
  }

  const outcomeOf = (id: string, rate: KeyRate, nowMs: number): Outcome => {
    const verdict = known.get(id)
    if (verdict === undefined || isVoid(verdict, rate))
      return hold('limit.unavailable', Math.ceil(nowMs + RETRY_MS - steady.ahead()), { key: ALL })
    if (verdict.type === 'dropped') return drop('limit.rate', id)
    if (verdict.atMs > nowMs) {
      const dueAtMs = Math.min(Math.ceil(verdict.atMs - steady.ahead()), rate.untilMs)
      return hold('limit.delayed', dueAtMs, { key: ALL })
    }
    return verdict.type === 'sampled' ? keepNoted({ reason: 'limit.sampled', key: ALL }) : KEEP
  }

  const run = async (events: readonly Event[], isOverdue: (i: number) => boolean = () => false): Promise<readonly Outcome[]> => {
    const nowMs = steady.nowMs()
    const verdicts = events.map((event) => (event.redelivered ? KEEP : classify(event, nowMs)))
    const unknown = new Set<string>()
    const overdue = new Set<string>()
    let rate: KeyRate | null = null
    for (const [i, verdict] of verdicts.entries()) {
      if (verdict.type !== 'limited') continue
      rate = verdict.rate
      if (isOverdue(i)) overdue.add(verdict.key)
      else if (isUnsaid(known.get(verdict.key), rate)) unknown.add(verdict.key)
    }
    try {
      if (rate !== null && unknown.size > 0) await judge([...unknown], (verdict) => !isVoid(verdict, rate), rate, nowMs)
      if (rate !== null && overdue.size > 0) await judge([...overdue], (verdict) => !isStale(verdict, rate, nowMs), rate, nowMs)
    } catch (error) {
      options.warn('limit.unavailable', `limits of ${name} cannot be asked for: ${(error as Error).message}; its events wait`)
      for (const id of overdue) known.delete(id)
    }
    return verdicts.map((verdict) => (verdict.type === 'limited' ? outcomeOf(verdict.key, verdict.rate, nowMs) : verdict))
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

/** The rate changed before the time of the token had come. */
const isVoid = ({ type, atMs, sinceMs }: Verdict, rate: KeyRate): boolean =>
  type === 'kept' && sinceMs < rate.sinceMs && atMs > rate.sinceMs

const isUnsaid = (verdict: Verdict | undefined, rate: KeyRate): boolean => verdict === undefined || isVoid(verdict, rate)

/** Its time has passed without its conversation, or was told by a clock that was wrong: it books another. */
const isStale = (verdict: Verdict, rate: KeyRate, nowMs: number): boolean =>
  isVoid(verdict, rate) || (verdict.type === 'kept' && (verdict.atMs < nowMs - GRACE_MS || verdict.saidAtMs > nowMs + STEP_MS))

const textOf = ({ type, atMs, saidAtMs, sinceMs }: Verdict): string => [type, atMs, saidAtMs, sinceMs].join(' ')

function verdictIn(text: string): Verdict | null {
  const [type, ...numbers] = text.split(' ')
  if (type !== 'kept' && type !== 'sampled' && type !== 'dropped') return null
  const [atMs, saidAtMs, sinceMs] = numbers.map(Number)
  if (atMs === undefined || saidAtMs === undefined || sinceMs === undefined) return null
  return { type, atMs, saidAtMs, sinceMs }
}

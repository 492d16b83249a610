/**
 * Stage `limit`: admits the events of each key at a rate; what comes above it is delayed, dropped, sampled or folded into the latest, as
 * the route says. The bound is on admissions: of one key, in any T seconds at most `perSecond * T + burst` (of `sample` besides one in
 * so many of the overflow). An event that was admitted is not limited again: attempts after the first pass untouched.
 *
 * A delayed event has its own token of the future and is admitted at its time, or when `pace.ts` lets it if it comes back late. Where
 * processes share the store, one that comes back more than a second late books another. So does one whose rate has changed since; when
 * the rate has an end that is known, nobody waits for a token beyond it, but comes back then.
 */
import type { Event } from '../event/event.ts'
import type { Clock } from '../pipeline/clock.ts'
import { KEEP, type Outcome, type Resumed, type Stage, drop, hold, keepNoted } from '../pipeline/outcome.ts'
import { steadyClock } from '../pipeline/steady-clock.ts'
import type { Store } from '../stores/store.ts'
import { type Limited, classifier } from './classify.ts'
import { conversationLimit } from './conversations.ts'
import { bounded } from './key.ts'
import { type Demand, GRACE_MS, Leases } from './leases.ts'
import { type KeyRate, type LimitTerms, rateOf } from './rates.ts'
import { Pace } from './pace.ts'
import { Recent } from './recent.ts'

export type LimitOptions = {
  /** What it goes by; `per` and `overflow` stay what they were at first. */
  readonly terms: () => LimitTerms
  /** The topics it is for; null is for all. */
  readonly topics: { matches(topic: string): boolean } | null
  /** Who has the same name on the same store shares the limits: the name of the route. */
  readonly name: string
  readonly store: Store
  readonly clock: Pick<Clock, 'nowMs'>
  /** How long tokens may be kept before they are used; 0 for the only process on its store. */
  readonly leaseMs: number
  /** Whether known repetitions end behind the limit. */
  readonly dedupe?: boolean
  /** The priority of an event by our own map; null when nobody gave it one. Default: what the configuration says. */
  readonly priorityOf?: (event: Event) => number | null
  readonly warn: (code: string, message: string) => void
}

const RETRY_MS = 1_000
const MAX_KEYS = 50_000

export function limitStage(options: LimitOptions): Stage {
  return options.terms().limit.per === 'conversation' ? conversationLimit(options) : new KeyedLimit(options)
}

class KeyedLimit implements Stage {
  readonly name = 'limit'
  readonly #o: LimitOptions
  readonly #classify: (event: Event, nowMs: number) => Limited
  readonly #leases: Leases
  readonly #steady: ReturnType<typeof steadyClock>
  /** Null where tokens are shared. */
  readonly #pace: Pace | null
  /** Overflow of each key that `sample` has seen. */
  readonly #seen = new Recent<number>(MAX_KEYS)
  /** When the event that holds a slot is due, by the rate of which time. */
  readonly #slots = new Recent<{ readonly dueAtMs: number; readonly sinceMs: number }>(MAX_KEYS)

  constructor(options: LimitOptions) {
    this.#o = options
    this.#classify = classifier(options)
    this.#leases = new Leases(options.store, options.name, options.leaseMs)
    this.#steady = steadyClock(options.clock)
    this.#pace = options.leaseMs === 0 ? new Pace(this.#steady.nowMs()) : null
  }

  get storeCalls(): number {
    return this.#leases.calls
  }

  async run(events: readonly Event[]): Promise<readonly Outcome[]> {
    const nowMs = this.#steady.nowMs()
    const { overflow } = this.#o.terms().limit
    const outcomes: Outcome[] = []
    const byKey = new Map<string, { readonly rate: KeyRate; readonly indexes: number[] }>()
    for (const [i, event] of events.entries()) {
      const verdict = event.redelivered ? KEEP : this.#classify(event, nowMs)
      outcomes[i] = verdict.type === 'limited' ? KEEP : verdict
      if (verdict.type !== 'limited') continue
      // A repetition that ends behind the limit is not the latest of anything.
      if (event.duplicateOf !== null && overflow === 'latest' && this.#o.dedupe === true) continue
      const demand = byKey.get(verdict.key)
      if (demand === undefined) byKey.set(verdict.key, { rate: verdict.rate, indexes: [i] })
      else demand.indexes.push(i)
    }
    if (byKey.size > 0) await this.#decide(events, byKey, outcomes, nowMs)
    return outcomes
  }

  async resume(held: readonly Resumed[]): Promise<readonly Outcome[]> {
    const nowMs = this.#steady.nowMs()
    const outcomes: Outcome[] = held.map(() => KEEP)
    const again: number[] = []
    const late = new Map<string, { readonly rate: KeyRate; readonly indexes: number[]; givenBackAtMs: number }>()
    for (const [i, { event, reason, dueAtMs, key, slot }] of held.entries()) {
      if (reason === 'limit.unavailable') {
        again.push(i)
        continue
      }
      const good = this.#good(key, dueAtMs, nowMs)
      if (good !== null) {
        if (good.rate !== null) {
          this.#pace?.watchAgain(good.key, good.rate, dueAtMs + this.#steady.ahead(), nowMs)
          outcomes[i] = this.#inPace(good.key, good.rate, false, nowMs, reason, slot)
        }
        continue
      }
      const verdict = this.#classify(event, nowMs)
      if (verdict.type !== 'limited') outcomes[i] = verdict
      else {
        const demand = late.get(key ?? verdict.key) ?? { rate: verdict.rate, indexes: [], givenBackAtMs: 0 }
        demand.indexes.push(i)
        demand.givenBackAtMs = Math.max(demand.givenBackAtMs, -dueAtMs)
        late.set(key ?? verdict.key, demand)
      }
    }
    const demands = [...late].map(([key, { rate, indexes, givenBackAtMs }]): Demand => ({
      key,
      rate,
      tokens: indexes.length,
      ahead: true,
      more: false,
      givenBackAtMs,
    }))
    const taken = await this.#take(demands, nowMs)
    for (const [k, [key, { rate, indexes }]] of [...late].entries())
      for (const [n, i] of indexes.entries()) {
        const { reason, slot } = held[i]!
        const atMs = taken?.[k]?.[n] ?? null
        if (atMs !== null) this.#pace?.watchAgain(key, rate, atMs, nowMs)
        if (atMs !== null && atMs <= nowMs) outcomes[i] = this.#inPace(key, rate, false, nowMs, reason, slot)
        else if (atMs !== null) outcomes[i] = this.#booked(reason, atMs, key, rate, slot)
        else outcomes[i] = this.#until(reason, nowMs + RETRY_MS, key, slot, rate.untilMs)
      }
    if (again.length > 0) {
      const verdicts = await this.run(again.map((i) => held[i]!.event))
      for (const [n, i] of again.entries()) outcomes[i] = verdicts[n]!
    }
    return outcomes
  }

  /** Key and rate (null: not limited) of an event whose token is still its own; null when it is not. */
  #good(key: string | null, dueAtMs: number, nowMs: number): { readonly key: string; readonly rate: KeyRate | null } | null {
    const clockMs = nowMs - this.#steady.ahead()
    const isPaced = this.#pace !== null && key !== null && dueAtMs > 0
    if (clockMs - dueAtMs > GRACE_MS && !isPaced) return null
    if (key === null) return { key: '', rate: null }
    const { rate, sinceMs, untilMs } = rateOf(this.#o.terms(), key, nowMs)
    if (dueAtMs <= sinceMs && sinceMs <= clockMs) return null
    return { key, rate: rate === null ? null : { ...rate, sinceMs, untilMs } }
  }

  async #decide(
    events: readonly Event[],
    byKey: ReadonlyMap<string, { readonly rate: KeyRate; readonly indexes: readonly number[] }>,
    outcomes: Outcome[],
    nowMs: number,
  ): Promise<void> {
    const { overflow } = this.#o.terms().limit
    const keys = [...byKey].map(([key, { rate, indexes }]) => ({
      key,
      rate,
      // Who is older or newer than the one that holds its slot is found out there, and needs no token.
      indexes: overflow === 'latest' ? indexes.filter((i) => !this.#intoSlot(events[i]!, i, { key, rate }, outcomes, nowMs)) : indexes,
    }))
    const demands = keys.map(({ key, rate, indexes }) => ({
      key,
      rate,
      tokens: indexes.length,
      ahead: overflow === 'delay',
      more: true,
    }))
    const taken = await this.#take(demands, nowMs)
    const waiting: { readonly demand: Demand; readonly slots: Map<string, number[]> }[] = []
    for (const [k, { key, rate, indexes }] of keys.entries()) {
      const atMs = taken?.[k] ?? null
      const slots = new Map<string, number[]>()
      for (const [n, i] of indexes.entries()) {
        const at = atMs?.[n]
        if (atMs === null) outcomes[i] = this.#until('limit.unavailable', nowMs + RETRY_MS, key, null)
        else if (at !== undefined && at <= nowMs) {
          const slot = overflow === 'latest' ? slotOf(events[i]!, key) : null
          outcomes[i] = this.#inPace(key, rate, true, nowMs, slot === null ? 'limit.delayed' : 'limit.latest', slot)
        } else if (at !== undefined) {
          this.#pace?.watch(key, rate, at, nowMs)
          outcomes[i] = this.#booked('limit.delayed', at, key, rate, null)
        } else if (overflow === 'latest') into(slots, slotOf(events[i]!, key), i)
        else outcomes[i] = this.#overflow(key)
      }
      if (slots.size > 0) waiting.push({ demand: { key, rate, tokens: slots.size, ahead: true, more: false }, slots })
    }
    if (waiting.length > 0) await this.#fillSlots(waiting, outcomes, nowMs)
  }

  async #fillSlots(
    waiting: readonly { readonly demand: Demand; readonly slots: ReadonlyMap<string, readonly number[]> }[],
    outcomes: Outcome[],
    nowMs: number,
  ): Promise<void> {
    const taken = await this.#take(
      waiting.map(({ demand }) => demand),
      nowMs,
    )
    for (const [k, { demand, slots }] of waiting.entries())
      for (const [n, [slot, indexes]] of [...slots].entries()) {
        const atMs = taken?.[k]?.[n]
        const { key, rate } = demand
        if (atMs !== undefined) this.#pace?.watch(key, rate, atMs, nowMs)
        const outcome =
          atMs === undefined
            ? this.#until('limit.unavailable', nowMs + RETRY_MS, key, slot, rate.untilMs)
            : this.#booked('limit.latest', atMs, key, rate, slot)
        for (const i of indexes) outcomes[i] = outcome
      }
  }

  #intoSlot(event: Event, i: number, by: { key: string; rate: KeyRate }, outcomes: Outcome[], nowMs: number): boolean {
    const slot = slotOf(event, by.key)
    const { dueAtMs = 0, sinceMs } = this.#slots.get(slot) ?? {}
    if (dueAtMs <= nowMs || sinceMs !== by.rate.sinceMs) return false
    outcomes[i] = this.#until('limit.latest', dueAtMs, by.key, slot, by.rate.untilMs)
    return true
  }

  #overflow(key: string): Outcome {
    const { overflow, sampleOneIn } = this.#o.terms().limit
    if (overflow === 'sample') {
      const seen = (this.#seen.get(key) ?? 0) + 1
      this.#seen.set(key, seen % sampleOneIn)
      if (seen === sampleOneIn) return keepNoted({ reason: 'limit.sampled', key })
    }
    return drop('limit.rate', key)
  }

  /** Null when the store cannot be had: nothing is admitted on suspicion. */
  async #take(demands: readonly Demand[], nowMs: number): Promise<readonly (readonly number[])[] | null> {
    try {
      return await this.#leases.take(demands, nowMs)
    } catch (error) {
      this.#o.warn('limit.unavailable', `limits of ${this.#o.name} cannot be asked for: ${(error as Error).message}; its events wait`)
      return null
    }
  }

  /** It has a token of now, and goes if what went before it leaves room; else it queues. */
  #inPace(key: string, rate: KeyRate, isNew: boolean, nowMs: number, reason: string, slot: string | null): Outcome {
    const atMs = this.#pace?.admit(key, rate, isNew, nowMs) ?? null
    if (atMs === null) return slot === null ? KEEP : { type: 'keep', slot }
    return this.#booked(reason, atMs, key, rate, slot)
  }

  /** It goes at a time that is known. */
  #booked(reason: string, atMs: number, key: string, { sinceMs, untilMs }: KeyRate, slot: string | null): Outcome {
    if (slot !== null) this.#slots.set(slot, { dueAtMs: atMs, sinceMs })
    return this.#until(reason, atMs, key, slot, untilMs)
  }

  #until(reason: string, atMs: number, key: string, slot: string | null, untilMs = Infinity): Outcome {
    const dueAtMs = Math.min(Math.ceil(atMs - this.#steady.ahead()), untilMs)
    return hold(reason, dueAtMs, slot === null || reason === 'limit.unavailable' ? { key } : { key, slot })
  }
}

/** One entity on one topic, of one key: what another key may do is no matter of this one. */
function slotOf(event: Event, key: string): string {
  const { entity } = event
  const of = entity === null ? (event.conversationId ?? event.userId ?? event.queueId ?? '') : `${entity.kind}:${entity.id}`
  return bounded(`${key} ${event.topic} ${of}`)!
}

function into(slots: Map<string, number[]>, slot: string, i: number): void {
  const there = slots.get(slot)
  if (there === undefined) slots.set(slot, [i])
  else there.push(i)
}

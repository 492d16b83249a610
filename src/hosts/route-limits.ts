/**
 * The limits of the routes as they are now: what the configuration says, and before it the flags `route.limit`. A change plans anew what
 * waits because of the limit, also one that came while nothing ran; the tokens booked before it are void, so none is used twice. An
 * override that ends by itself needs nobody for that: the stage plans nothing beyond its end. It is then taken away here.
 */
import type { LimitConfig } from '../config/config.ts'
import type { FlagChange, Flags } from '../flags/flags.ts'
import { bounded } from '../limit/key.ts'
import { type LimitOverride, type LimitTerms, holds } from '../limit/rates.ts'
import type { Clock } from '../pipeline/clock.ts'
import type { Ledger } from '../routes/ledger.ts'
import type { Route } from '../routes/route.ts'

export type RouteLimitsOptions = {
  readonly flags: Flags
  readonly ledger: Pick<Ledger, 'get' | 'run'>
  readonly clock: Clock
  readonly warn: (code: string, message: string) => void
}

/** What the flags keep on record. */
const MAX_CHANGES = 10_000
const IDLE_MS = 3_600_000
const RETRY_MS = 60_000
const EXPIRY = 'expiry'

export class RouteLimits {
  readonly #o: RouteLimitsOptions
  readonly #limits = new Map<string, { readonly limit: LimitConfig; readonly sinceMs: number }>()
  readonly #overrides = new Map<string, Map<string | null, LimitOverride>>()
  #terms = new Map<string, LimitTerms>()
  #routes: ReadonlyMap<string, Pick<Route, 'changeLimit'>> = new Map()
  #wake = new AbortController()

  constructor(options: RouteLimitsOptions) {
    this.#o = options
    for (const flag of options.flags.list())
      if (flag.flag === 'route.limit')
        this.#of(flag.route).set(bounded(flag.key), { rate: rateIn(flag.value), sinceMs: flag.atMs, untilMs: flag.untilMs })
    // Newest first: of each the last word counts.
    for (const change of options.flags.changes(MAX_CHANGES))
      if (change.flag === 'route.limit' && !this.#of(change.route).has(bounded(change.key))) this.#note(change)
    options.flags.onChange((change) => {
      if (change.flag === 'route.limit') this.#changed(change)
    })
  }

  /** What the limit of a route goes by, each time it is asked. */
  termsOf(route: string): () => LimitTerms {
    return () => {
      let terms = this.#terms.get(route)
      if (terms === undefined) {
        const configured = this.#limits.get(route)
        if (configured === undefined) throw new Error(`the limit of route ${route} is not configured`)
        terms = { ...configured, overrides: this.#of(route) }
        this.#terms.set(route, terms)
      }
      return terms
    }
  }

  /** What the configuration says since `sinceMs`; before `start`, and again when that changes (names that came to mean other ids). */
  configure(route: string, limit: LimitConfig, sinceMs: number): void {
    this.#change(route, null, sinceMs, () => {
      this.#limits.set(route, { limit, sinceMs })
      this.#terms.delete(route)
    })
  }

  /** Before the routes start: plans anew what was held by rates that changed while nothing ran. */
  start(routes: ReadonlyMap<string, Pick<Route, 'changeLimit'>>): void {
    this.#routes = routes
    const nowMs = this.#o.clock.nowMs()
    const changedMs = (one: LimitOverride): number => (holds(one, nowMs) ? one.sinceMs : (one.untilMs ?? 0))
    for (const [route, { sinceMs }] of this.#limits) {
      const plannedMs = this.#plannedMs(route)
      const changes = [...this.#of(route)].map(([key, one]) => ({ key, atMs: changedMs(one) })).filter(({ atMs }) => atMs > plannedMs)
      if (sinceMs > plannedMs) changes.push({ key: null, atMs: sinceMs })
      const newestMs = changes.reduce((newest, { atMs }) => Math.max(newest, atMs), 0)
      if (changes.some(({ key }) => key === null)) this.#change(route, null, newestMs)
      else for (const { key } of changes) this.#change(route, key, newestMs)
    }
  }

  /** Takes away overrides whose time is over, until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#o
    while (!signal.aborted) {
      this.#wake = new AbortController()
      const nextAtMs = this.#sweep(clock.nowMs())
      const waitMs = Math.min(IDLE_MS, Math.max(1, nextAtMs - clock.nowMs()))
      await clock.wait(waitMs, AbortSignal.any([signal, this.#wake.signal]))
    }
  }

  /** Answers when the next is over. */
  #sweep(nowMs: number): number {
    const { flags, warn } = this.#o
    let nextAtMs = Infinity
    for (const flag of flags.list()) {
      if (flag.untilMs === null) continue
      if (flag.untilMs > nowMs) {
        nextAtMs = Math.min(nextAtMs, flag.untilMs)
        continue
      }
      const { value: _value, by: _by, atMs: _atMs, untilMs, ...name } = flag
      try {
        flags.set(name, null, EXPIRY, untilMs)
      } catch (error) {
        warn('flag.not_swept', `a flag that is over stays on the list: ${(error as Error).message}; it has no effect`)
        nextAtMs = Math.min(nextAtMs, nowMs + RETRY_MS)
      }
    }
    return nextAtMs
  }

  #changed(change: FlagChange & { readonly flag: 'route.limit' }): void {
    const { route, to, atMs, untilMs } = change
    const key = bounded(change.key)
    const note = (): void => {
      if (to === null) this.#note(change)
      else this.#of(route).set(key, { rate: rateIn(to), sinceMs: atMs, untilMs })
    }
    if (to === null && change.by === EXPIRY) {
      // What waited past the end of an override has planned anew by then.
      note()
      this.#planned(route, atMs)
    } else this.#change(route, key, atMs, note)
    this.#wake.abort()
  }

  /** An override that is no more, from `atMs` on. */
  #note({ route, key, atMs }: FlagChange & { readonly flag: 'route.limit' }): void {
    const sinceMs = this.#of(route).get(bounded(key))?.sinceMs ?? 0
    this.#of(route).set(bounded(key), { rate: null, sinceMs, untilMs: atMs })
  }

  /** Together: a batch that met the new rate before what waits was called back would stand in its way. */
  #change(route: string, key: string | null, sinceMs: number, change: () => void = () => undefined): void {
    const running = this.#limits.has(route) ? this.#routes.get(route) : undefined
    if (running === undefined) change()
    else void running.changeLimit(key, change).then(() => this.#planned(route, sinceMs))
  }

  #of(route: string): Map<string | null, LimitOverride> {
    let overrides = this.#overrides.get(route)
    if (overrides === undefined) this.#overrides.set(route, (overrides = new Map<string | null, LimitOverride>()))
    return overrides
  }

  #plannedMs(route: string): number {
    return Number(this.#o.ledger.get('SELECT value FROM kept WHERE name = ?', plannedAs(route))?.['value'] ?? 0)
  }

  /** Written after the fact: what a crash leaves out is done again. */
  #planned(route: string, sinceMs: number): void {
    if (sinceMs <= this.#plannedMs(route)) return
    try {
      this.#o.ledger.run('INSERT OR REPLACE INTO kept (name, value) VALUES (?, ?)', plannedAs(route), String(sinceMs))
    } catch (error) {
      this.#o.warn('limit.not_noted', `route ${route}: ${(error as Error).message}; what waits is planned anew at the next start`)
    }
  }
}

const plannedAs = (route: string): string => `limit.planned ${route}`
const rateIn = (value: unknown): LimitOverride['rate'] => (value === 'unlimited' ? null : (value as LimitOverride['rate']))

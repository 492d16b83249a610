/**
 * Tokens of shared buckets, taken ahead so that most events cost no call of the store. What is taken and not used within `leaseMs`
 * lapses. A token may then be used that much later than it was given, so the bucket in the store has a burst that is smaller by what
 * the rate gives in that time: the bound holds for the time of use. An empty bucket is not asked again before its next token.
 *
 * How many are taken ahead follows what the key used of late; a key with few events takes none, so that quiet keys waste nothing.
 */
import type { Rate } from '../pipeline/bucket.ts'
import type { Store, TokenRequest } from '../stores/store.ts'
import type { KeyRate } from './rates.ts'
import { Recent } from './recent.ts'

export type Demand = {
  readonly key: string
  readonly rate: KeyRate
  readonly tokens: number
  readonly ahead: boolean
  /** Whether more of the key are likely to come. */
  readonly more: boolean
  /** All that was booked of the key before this instant is booked again, as what was booked before its rate was. */
  readonly givenBackAtMs?: number
}

type Lease = {
  rate: KeyRate
  /** Good until `untilMs`. */
  tokens: number
  untilMs: number
  /** Of the future, each good at its time. */
  booked: number[]
  emptyUntilMs: number
  givenBackAtMs: number
  /** Demand in this second and the one before. */
  sinceMs: number
  demand: number
  demandBefore: number
}

/** Who comes back from a hold later than this after the time of its token books another. */
export const GRACE_MS = 1_000
const SECOND_MS = 1_000
const MAX_LEASES = 50_000

export class Leases {
  readonly #store: Pick<Store, 'takeTokens'>
  readonly #name: string
  readonly #leaseMs: number
  readonly #leases = new Recent<Lease>(MAX_LEASES)
  /** Calls of the store, for measurements. */
  calls = 0

  /** `name` is what the buckets are shared by; `leaseMs` is 0 for who shares with nobody. */
  constructor(store: Pick<Store, 'takeTokens'>, name: string, leaseMs: number) {
    this.#store = store
    this.#name = name
    this.#leaseMs = Math.min(SECOND_MS, leaseMs)
  }

  /** Times of tokens for each demand, each no earlier than `nowMs`; fewer than asked for when the bucket is empty. */
  async take(demands: readonly Demand[], nowMs: number): Promise<number[][]> {
    const taken = demands.map((): number[] => [])
    const asked: { readonly at: number; readonly lease: Lease; readonly missing: number; readonly request: TokenRequest }[] = []
    for (const [at, demand] of demands.entries()) {
      const lease = this.#leaseOf(demand, nowMs)
      const { rate, ahead } = demand
      const givenBackAtMs = Math.max(rate.sinceMs, demand.givenBackAtMs ?? 0)
      if (lease.rate.perSecond !== rate.perSecond || lease.rate.burst !== rate.burst || givenBackAtMs > lease.givenBackAtMs)
        Object.assign(lease, { rate, tokens: 0, booked: [], emptyUntilMs: 0, givenBackAtMs })
      this.#fromLease(lease, demand, nowMs, taken[at]!)
      const missing = demand.tokens - taken[at]!.length
      if (missing === 0 || (!ahead && nowMs < lease.emptyUntilMs)) continue
      const { perSecond, burst, leaseMs } = sharedRate(demand.rate, this.#leaseMs)
      const tokens = missing + (demand.more ? this.#lookAhead(lease, perSecond, leaseMs) : 0)
      const request = { key: `${this.#name}|${demand.key}`, perSecond, burst, tokens, ahead, givenBackAtMs }
      asked.push({ at, lease, missing, request })
    }
    if (asked.length === 0) return taken
    this.calls++
    const granted = await this.#store.takeTokens(
      asked.map(({ request }) => request),
      nowMs,
    )
    for (const [i, { at, lease, missing, request }] of asked.entries()) {
      const { atMs, nextAtMs } = granted[i] ?? { atMs: [], nextAtMs: nowMs }
      taken[at]!.push(...atMs.slice(0, missing))
      const rest = atMs.slice(missing)
      lease.tokens = rest.filter((time) => time <= nowMs).length
      lease.untilMs = nowMs + sharedRate(lease.rate, this.#leaseMs).leaseMs
      lease.booked = rest.filter((time) => time > nowMs)
      lease.emptyUntilMs = atMs.length < request.tokens ? nextAtMs : 0
    }
    return taken
  }

  #leaseOf({ key, rate, tokens }: Demand, nowMs: number): Lease {
    let lease = this.#leases.get(key)
    if (lease === undefined) {
      lease = { rate, tokens: 0, untilMs: 0, booked: [], emptyUntilMs: 0, givenBackAtMs: 0, sinceMs: nowMs, demand: 0, demandBefore: 0 }
      this.#leases.set(key, lease)
    }
    if (nowMs - lease.sinceMs >= SECOND_MS) {
      lease.demandBefore = nowMs - lease.sinceMs < 2 * SECOND_MS ? lease.demand : 0
      lease.demand = 0
      lease.sinceMs = nowMs
    }
    lease.demand += tokens
    return lease
  }

  #fromLease(lease: Lease, demand: Demand, nowMs: number, into: number[]): void {
    if (nowMs > lease.untilMs) lease.tokens = 0
    const now = Math.min(lease.tokens, demand.tokens)
    lease.tokens -= now
    for (let n = 0; n < now; n++) into.push(nowMs)
    if (lease.booked.length === 0) return
    lease.booked = lease.booked.filter((time) => time >= nowMs)
    if (demand.ahead) into.push(...lease.booked.splice(0, demand.tokens - into.length))
  }

  /** A little less than what is likely to be used before it lapses, at most a second's. */
  #lookAhead(lease: Lease, perSecond: number, leaseMs: number): number {
    const likely = Math.floor((Math.max(lease.demand, lease.demandBefore) * leaseMs) / SECOND_MS) - 1
    return Math.max(0, Math.min(likely, Math.floor(perSecond)))
  }
}

/** What the bucket in the store may give, when a token may be used up to `leaseMs` after it was given. */
function sharedRate({ perSecond, burst }: Rate, wantedMs: number): Rate & { readonly leaseMs: number } {
  if (wantedMs === 0) return { perSecond, burst, leaseMs: 0 }
  const least = Math.max(1, Math.ceil(burst / 2))
  const leaseMs = Math.min(wantedMs, Math.floor(((burst - least) / perSecond) * SECOND_MS))
  return { perSecond, burst: leaseMs === 0 ? burst : Math.max(1, Math.floor(burst - (perSecond * leaseMs) / SECOND_MS)), leaseMs }
}

/**
 * What the routes of a configuration would do with records, without a service: decoding, identity and the stages are the real ones, and
 * the last step is left out. No log, no data directory, no sink, no user code. Identity reaches as far as one run; an event counts as
 * received when it was published, so that a run comes out the same each time.
 */
import type { Config, RouteConfig } from '../config/config.ts'
import { type NamedThings, NOTHING_NAMED, resolveNames } from '../config/names.ts'
import { decode, DEFAULT_MAX_BYTES } from '../event/decode.ts'
import type { DecodedEvent, Event } from '../event/event.ts'
import { KNOWN_TOPICS } from '../event/known-topics.ts'
import { Flags } from '../flags/flags.ts'
import { describeMismatch } from '../match/mismatch.ts'
import { whyNotChanges } from '../pipeline/match.ts'
import { runStages, type Verdict } from '../pipeline/pipeline.ts'
import { describeFindings } from '../pipeline/validate.ts'
import { memoryStore } from '../stores/memory.ts'
import { shapingOf } from './shaping.ts'
import { Validation } from './validation.ts'

/** `delivered` is: handed to the sink. `held` waits at a stage, `retrying` is a defect of one. */
export const REHEARSED_OUTCOMES = ['delivered', 'not_matched', 'duplicate', 'dropped', 'dead', 'held', 'retrying'] as const

export type RehearsedOutcome = (typeof REHEARSED_OUTCOMES)[number]

export type RehearsedRoute = {
  readonly route: string
  readonly outcome: RehearsedOutcome
  /** A code of docs/reference/errors.md; null for what is delivered. */
  readonly reason: string | null
  /** What the event would be marked with. */
  readonly marks: readonly string[]
  /** Why, for people. */
  readonly why: string
}

/** A record that would go to quarantine, and why. */
type Refused = { readonly ok: false; readonly code: string; readonly message: string }

export type Rehearsed = { readonly ok: true; readonly event: Event; readonly routes: readonly RehearsedRoute[] } | Refused

export class Rehearsal {
  readonly #config: Config
  readonly #validation: Validation

  private constructor(config: Config, validation: Validation) {
    this.#config = config
    this.#validation = validation
  }

  /** Reads the schemas. What is wrong in their folder is a warning, as in the service. */
  static async open(config: Config, warn: (code: string, message: string) => void): Promise<Rehearsal> {
    const flags = new Flags({ load: () => [], put: () => undefined, changes: () => [] })
    return new Rehearsal(config, await Validation.open({ schemas: config.schemas, flags, warn }))
  }

  /**
   * Runs records, in their order, as if they came to a service with an empty log; answers what became of each. `nowMs` dates events that
   * have no time; `things` is what names come to.
   */
  async run(
    records: readonly Uint8Array[],
    nowMs: number,
    things: NamedThings = NOTHING_NAMED,
  ): Promise<readonly (readonly Rehearsed[])[]> {
    const receipts = this.#receive(records, nowMs)
    const events = receipts.flat().flatMap((receipt) => (receipt.ok ? [receipt.event] : []))
    const byIds = this.#config.routes.map((route) => resolveNames(route, things, KNOWN_TOPICS).route)
    const routes = await Promise.all(byIds.map((route) => this.#routeAll(route, events)))
    let index = 0
    return receipts.map((ofRecord) =>
      ofRecord.map((receipt): Rehearsed => {
        if (!receipt.ok) return receipt
        const at = index++
        return { ...receipt, routes: routes.map((outcomes) => outcomes[at]!) }
      }),
    )
  }

  #receive(records: readonly Uint8Array[], nowMs: number): ({ readonly ok: true; readonly event: Event } | Refused)[][] {
    const { http, genesys, dedupe } = this.#config
    const maxBytes = Math.min(DEFAULT_MAX_BYTES, http.maxBodyBytes)
    // A record that says it is a change of the state stands for one that the service would make.
    const options = { maxBytes, own: true, ...(genesys.orgId === null ? {} : { orgId: genesys.orgId }) }
    const known = new KnownInRun(dedupe.windowMs ?? Infinity)
    let count = 0
    return records.map((record) =>
      decode(record, options).map((decoded) => {
        count++
        if (!decoded.ok) return { ok: false, code: decoded.code, message: decoded.message }
        return { ok: true, event: known.receive(decoded.event, `event ${count}`, nowMs) }
      }),
    )
  }

  async #routeAll(route: RouteConfig, events: readonly Event[]): Promise<RehearsedRoute[]> {
    // All at one instant: of a limit that leaves what its burst lets through.
    const nowMs = events[0]?.receivedAtMs ?? 0
    const limits = { store: memoryStore, clock: { nowMs: () => nowMs }, leaseMs: 0, warn: () => undefined }
    const verdicts = await runStages(shapingOf(route, { validation: this.#validation.stage, limits }), events, new AbortController().signal)
    return verdicts.map((verdict, index) => {
      const event = events[index]!
      const marked = route.validate && verdict.outcome.type === 'keep'
      const marks = marked ? [...event.marks, ...this.#validation.marksOf(event)] : event.marks
      return { route: route.name, ...endOf(verdict), marks, why: this.#why(route, event, verdict) }
    })
  }

  #why(route: RouteConfig, event: Event, { stage, outcome }: Verdict): string {
    if (outcome.type === 'keep') {
      const drift = route.validate ? describeFindings(this.#validation.assess(event)) : null
      const fits = drift === null ? 'has no drift' : `drifts (${drift}), and the policy lets it pass`
      const first = event.key === null ? 'nothing in it tells a repetition' : 'it repeats no event before it'
      return [
        'the route takes it',
        route.validate ? `it ${fits}` : 'the route does not validate',
        route.dedupe ? first : 'the route delivers repetitions',
      ].join('; ')
    }
    if (stage === 'validate' && outcome.type === 'dead') return `it drifts (${outcome.detail}), which the policy quarantines`
    if (outcome.type === 'retry' || outcome.type === 'dead') return outcome.detail ?? `stage ${stage}`
    switch (outcome.reason) {
      case 'match.topic':
        return `its topic is none of the route's: ${listOf(route.topics ?? [])}`
      case 'match.backfill':
        return 'it was made of what the API says, for a gap or a repair, and the route does not ask for such events (backfill)'
      case 'match.changes':
        return whyNotChanges(route.changes !== null)
      case 'match.pattern':
        return describeMismatch(route.patterns, event) ?? `stage ${stage}`
      case 'duplicate':
        return `it repeats ${event.duplicateOf}`
      default:
        return outcome.type === 'drop' && outcome.key !== null ? `stage ${stage}, counted by ${outcome.key}` : `stage ${stage}`
    }
  }
}

/** What the log knows of identity, for the events of one run. */
class KnownInRun {
  readonly #windowMs: number
  readonly #first = new Map<string, { readonly id: string; readonly atMs: number }>()

  constructor(windowMs: number) {
    this.#windowMs = windowMs
  }

  receive(event: DecodedEvent, id: string, nowMs: number): Event {
    const receivedAtMs = event.publishedAtMs ?? event.occurredAtMs ?? nowMs
    const duplicateOf = this.#firstOf(event.key, id, receivedAtMs)
    const reused = this.#firstOf(event.envelopeKey, id, receivedAtMs) !== null && duplicateOf === null
    const marks = reused ? [...event.marks, 'id.reused' as const] : event.marks
    return { ...event, marks, id, receivedAtMs, duplicateOf, redelivered: false }
  }

  /** Id of the event that had the key first, within the window; null when it is this one. */
  #firstOf(key: Uint8Array | null, id: string, atMs: number): string | null {
    if (key === null) return null
    const text = Buffer.from(key).toString('hex')
    const first = this.#first.get(text)
    if (first !== undefined && first.atMs >= atMs - this.#windowMs) return first.id
    this.#first.set(text, { id, atMs })
    return null
  }
}

function endOf({ stage, outcome }: Verdict): Pick<RehearsedRoute, 'outcome' | 'reason'> {
  switch (outcome.type) {
    case 'keep':
      return { outcome: 'delivered', reason: null }
    case 'drop':
      if (stage === 'match') return { outcome: 'not_matched', reason: outcome.reason }
      return { outcome: outcome.reason === 'duplicate' ? 'duplicate' : 'dropped', reason: outcome.reason }
    case 'hold':
      return { outcome: 'held', reason: outcome.reason }
    case 'retry':
      return { outcome: 'retrying', reason: outcome.reason }
    case 'dead':
      return { outcome: 'dead', reason: outcome.reason }
  }
}

const SHOWN = 4

function listOf(topics: readonly string[]): string {
  return `${topics.slice(0, SHOWN).join(', ')}${topics.length > SHOWN ? ` and ${topics.length - SHOWN} more` : ''}`
}

/**
 * The state of the contact centre in the service: made of all events behind intake, stored with the position it was made up to, so
 * that a crash loses and repeats nothing. It can be made again from an earlier position that is kept for that, the base, and
 * the log since; retention takes nothing from the log that is not stored here, or that the base has not taken in.
 */
import type { Config } from '../config/config.ts'
import { step } from '../diagnostics/step.ts'
import type { Event } from '../event/event.ts'
import type { LogReader } from '../log/reader.ts'
import { aboutOf, type Fact } from '../state/fact.ts'
import { factsOf } from '../state/facts-of.ts'
import { createState } from '../state/folded-state.ts'
import type { Recall } from '../state/memory.ts'
import type { ServiceLevelOf } from '../state/queue-state.ts'
import type { State } from '../state/state.ts'
import type { StateMeta, StateRows } from '../stores/state-rows.ts'
import type { Fold, LogFollower } from './log-follower.ts'
import { rebuilt, type Rebuilt } from './state-rebuild.ts'

export type StateKeeperOptions = {
  readonly config: Pick<Config, 'state'>
  readonly rows: StateRows
  readonly log: LogReader
  readonly nowMs: () => number
  readonly serviceLevel: ServiceLevelOf
  readonly warn: (code: string, message: string) => void
  /** Conversations that are heard of from this record on are told when they have finished; null when no route asks for it. */
  readonly changesFromSeq?: number | null
}

/** So many events are at most folded before they are stored: that bounds how long storing takes, and what memory has to keep. */
const STORE_EVERY_EVENTS = 4_000
/** Only while nothing can be stored there are so many. */
const MAX_HEARD = 200_000

export class StateKeeper implements Fold {
  readonly name = 'the state'
  readonly #o: StateKeeperOptions
  #state: State
  #foldedSinceStored = 0
  /** Everything that was folded. */
  #isStored = true
  #rebuilding: Promise<Rebuilt> | null = null
  readonly #heard = new Map<string, number>()
  #receivedAtMs = -Infinity

  constructor(options: StateKeeperOptions) {
    this.#o = options
    this.#state = this.create((kind, id) => options.rows.chunk(kind, id))
    if (!this.#toldOf) options.rows.finishing.clear()
  }

  get state(): State {
    return this.#state
  }

  /** The oldest record that the log must keep: what is before is in the base. */
  get neededSeq(): number {
    return this.#o.rows.base?.position ?? 1
  }

  /** Everything before this record is stored. */
  get storedSeq(): number {
    return this.#o.rows.meta?.position ?? 1
  }

  load(): number {
    const { rows, log, nowMs } = this.#o
    rows.forgetMade()
    const { meta } = rows
    if (meta !== null) this.#restore(meta)
    const position = Math.max(meta?.position ?? 1, log.firstSeq)
    // What left the log unseen is missing from the figures up to then.
    if (position > (meta?.position ?? 1))
      this.#state.resume({ newestAtMs: -Infinity, completeSinceMs: log.segments[0]?.minReceivedAtMs ?? nowMs() })
    if (meta === null || position > meta.position) this.#write(position, false)
    if (this.neededSeq < log.firstSeq || rows.base === null) rows.rebase()
    return meta?.position ?? position
  }

  get isFull(): boolean {
    return this.#foldedSinceStored >= STORE_EVERY_EVENTS
  }

  fold(event: Event, body: unknown, seq: number): void {
    this.#foldedSinceStored++
    this.#isStored = false
    const facts = factsOf(event, body)
    const { receivedAtMs } = event
    this.#state.apply(facts, receivedAtMs)
    this.#receivedAtMs = Math.max(this.#receivedAtMs, receivedAtMs)
    if (this.#toldOf && seq >= this.#o.changesFromSeq!) this.#hear(facts, receivedAtMs)
  }

  /** Conversations that were heard of since the state was stored, and when last. */
  get heard(): ReadonlyMap<string, number> {
    return this.#heard
  }

  /**
   * The clock that says how long nothing was heard of a conversation: while events wait to be folded, when the last one folded was received.
   * So it makes no difference whether the log is followed at once or read later.
   */
  heardThroughMs(position: number): number {
    return position >= this.#o.log.nextSeq ? this.#o.nowMs() : this.#receivedAtMs
  }

  store(position: number): void {
    // Also when it fails: then it is tried again in its time.
    this.#foldedSinceStored = 0
    this.#write(position, false)
    this.#isStored = true
    step('state.stored')
    this.#heard.clear()
  }

  /** The base moves up to what is stored. */
  rebase(): void {
    // A rebuild reads from the base that it began with.
    if (this.#rebuilding === null) this.#o.rows.rebase()
  }

  sync(): void {
    this.#o.rows.sync()
  }

  /** Makes the state again, beside the one that answers, and compares. Where they differ the new one answers from then on. One at a time. */
  rebuild(follower: LogFollower, signal: AbortSignal): Promise<Rebuilt> {
    this.#rebuilding ??= rebuilt({
      keeper: this,
      rows: this.#o.rows,
      log: this.#o.log,
      follower,
      nowMs: this.#o.nowMs,
      signal,
      dueAtMs: () => this.#dueAtMs(),
      adopt: (state) => {
        this.#state = state
        this.#heard.clear()
      },
    }).finally(() => {
      this.#rebuilding = null
    })
    return this.#rebuilding
  }

  /** After the follower has ended. */
  async close(): Promise<void> {
    await this.#rebuilding?.catch(() => undefined)
    try {
      // Whole rows are for those who look into the file, and a start reads them faster.
      if (this.#isStored) this.#write(this.storedSeq, true)
    } finally {
      this.#o.rows.close()
    }
  }

  /** An empty state with the settings of the service. */
  create(recall: Recall): State {
    const { config, serviceLevel } = this.#o
    const { horizonMs, skewMs } = config.state
    return createState({ horizonMs, skewMs, stored: true, recall, serviceLevel })
  }

  #write(position: number, whole: boolean): void {
    const batch = this.#state.unstored(whole)
    this.#o.rows.write(batch, metaOf(this.#state, position), this.#dueAtMs())
    this.#state.stored(batch)
  }

  get #toldOf(): boolean {
    return (this.#o.changesFromSeq ?? null) !== null
  }

  #hear(facts: readonly Fact[], atMs: number): void {
    let last = ''
    for (const { kind, of } of facts) {
      if (of === last || aboutOf(kind) !== 'conversation') continue
      last = of
      if (this.#heard.size < MAX_HEARD || this.#heard.has(of)) this.#heard.set(of, Math.max(atMs, this.#heard.get(of) ?? atMs))
    }
  }

  /** When the conversations that were heard of are to be looked at. */
  #dueAtMs(): ReadonlyMap<string, number> {
    const { quietMs } = this.#o.config.state
    return new Map([...this.#heard].map(([id, atMs]) => [id, atMs + quietMs]))
  }

  #restore(meta: StateMeta): void {
    const { rows } = this.#o
    this.#state.resume(meta)
    let unreadable = 0
    for (const chunk of rows.unfrozen()) if (!this.#state.restore(chunk)) unreadable++
    for (const facts of rows.facts()) if (!this.#state.restoreFacts(facts)) unreadable++
    if (unreadable > 0)
      this.#o.warn(
        'state.unreadable',
        `${unreadable} rows of state.db cannot be read; \`trunkline state rebuild\` makes them anew from the log`,
      )
  }
}

export function metaOf(state: State, position: number): StateMeta {
  const { newestAtMs, completeSinceMs } = state
  return { position, newestAtMs, completeSinceMs }
}

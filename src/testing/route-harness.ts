/**
 * What tests of routes are built from: a log of real frames, a sink that follows a script and writes down what it was
 * given, and a route put together as the service does it. A crash is a process that is no more: its ledger handle is
 * closed, its sink and its clock never answer again.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import type { OrderConfig, RouteConfig } from '../config/config.ts'
import { routeRevision } from '../config/revision.ts'
import type { Event } from '../event/event.ts'
import { KNOWN_TOPICS } from '../event/known-topics.ts'
import { FrameBuilder, KIND_EVENT, eventMeta } from '../log/frame.ts'
import { LogReader } from '../log/reader.ts'
import type { SegmentsView } from '../log/messages.ts'
import type { Clock } from '../pipeline/clock.ts'
import { verdictDedupe } from '../pipeline/dedupe.ts'
import { compile } from '../match/matcher.ts'
import { matchStage } from '../pipeline/match.ts'
import { KEEP, type Outcome, type Stage } from '../pipeline/outcome.ts'
import { compileTopics } from '../pipeline/topic-pattern.ts'
import type { Sink } from '../sinks/sink.ts'
import { eventOf } from './event-of.ts'
import { seededRandom, virtualClock, type VirtualClock } from './virtual-clock.ts'
import type { Definition } from '../routes/explain.ts'
import { Ledger } from '../routes/ledger.ts'
import { Route } from '../routes/route.ts'

export const LOG_ID = 'k3v9qa7m'

/** A folder that goes with the test file's run. */
export function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'trunkline-routes-'))
  after(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

/** Frames of events, numbered from `firstSeq`. A record that repeats an earlier one names it in `firstSeqs`. */
export function framesOf(events: readonly Event[], firstSeq: number, firstSeqs: readonly (number | null)[] = []): Buffer {
  const builder = new FrameBuilder()
  for (const [i, event] of events.entries())
    builder.add({
      kind: KIND_EVENT,
      seq: firstSeq + i,
      receivedAtMs: event.receivedAtMs,
      firstSeq: firstSeqs[i] ?? -1,
      key: event.key,
      semantic: event.keyKind === 'semantic',
      envelopeKey: event.envelopeKey,
      meta: JSON.stringify(eventMeta(event, 'test')),
      raw: event.raw,
    })
  return builder.finish()
}

/** A log whose records are all in the reader's memory. */
export class MemoryLog {
  readonly reader: LogReader = new LogReader(LOG_ID)

  constructor() {
    this.reader.update({ sealed: [], active: activeFrom(1, 0), nextSeq: 1 })
  }

  /** Answers the seq of the first. */
  append(events: readonly Event[], firstSeqs: readonly (number | null)[] = []): number {
    const firstSeq = this.reader.nextSeq
    if (events.length === 0) return firstSeq
    // In a buffer of its own size: the reader keeps so many bytes of buffers, and there is no file behind it.
    const built = framesOf(events, firstSeq, firstSeqs)
    const frames = Buffer.from(new ArrayBuffer(built.length))
    built.copy(frames)
    const lastSeq = firstSeq + events.length - 1
    this.reader.committed(frames, firstSeq, lastSeq, { count: lastSeq, bytes: frames.length, minReceivedAtMs: 0, maxReceivedAtMs: 0 })
    return firstSeq
  }

  /** Retention: the log begins at `firstSeq` now, and forgets what was before (a new reader, as after a restart). */
  beginningAt(firstSeq: number): LogReader {
    const reader = new LogReader(LOG_ID)
    reader.update({ sealed: [], active: activeFrom(firstSeq, this.reader.nextSeq - firstSeq), nextSeq: this.reader.nextSeq })
    return reader
  }

  async event(seq: number): Promise<Event> {
    const record = await this.reader.record(seq)
    if (record === null) throw new Error(`record ${seq} is not in the log`)
    return this.reader.event(record)
  }
}

export type Deliver = (events: readonly Event[], signal: AbortSignal) => readonly Outcome[] | Promise<readonly Outcome[]>

/** A sink that answers as the test says; `given` and `delivered` are its own record. */
export class ScriptedSink implements Sink {
  readonly kind = 'scripted'
  readonly maxBatch: number
  readonly concurrency: number
  /** Every event handed over, in order, with the outcome that was answered. */
  readonly given: { readonly event: Event; readonly outcome: string }[] = []
  opened: (string | null)[] = []
  deliverNow: Deliver
  positionNow: () => string | null = () => null
  openNow: (position: string | null) => void = () => undefined

  constructor(options: { maxBatch?: number; concurrency?: number; deliver?: Deliver }) {
    this.maxBatch = options.maxBatch ?? 1
    this.concurrency = options.concurrency ?? 1
    this.deliverNow = options.deliver ?? ((events) => events.map(() => KEEP))
  }

  get delivered(): readonly Event[] {
    return this.given.filter(({ outcome }) => outcome === 'keep').map(({ event }) => event)
  }

  async open(position: string | null): Promise<void> {
    this.opened.push(position)
    this.openNow(position)
  }

  async deliver(events: readonly Event[], signal: AbortSignal): Promise<readonly Outcome[]> {
    const outcomes = await this.deliverNow(events, signal)
    for (const [i, event] of events.entries()) this.given.push({ event, outcome: outcomes[i]?.type ?? 'none' })
    return outcomes
  }

  position(): string | null {
    return this.positionNow()
  }

  async close(): Promise<void> {}
}

/** Order of arrival, per conversation. */
export const IN_ARRIVAL: OrderConfig = { by: 'conversation', windowMs: null, late: 'deliver' }

export function routeConfig(overrides: Partial<RouteConfig> = {}): RouteConfig {
  return {
    name: 'crm',
    topics: null,
    match: null,
    queues: null,
    mediaTypes: null,
    divisions: null,
    otherTopics: null,
    changes: null,
    patterns: [],
    from: 'earliest',
    dedupe: true,
    validate: true,
    backfill: false,
    names: false,
    limit: null,
    order: null,
    sink: { type: 'file', dir: '/out', maxFileBytes: 1_000_000 },
    retry: { maxAttempts: 3, baseMs: 100, maxMs: 1_000 },
    backlog: null,
    paused: false,
    ...overrides,
  }
}

export type World = {
  readonly clock: VirtualClock
  readonly log: MemoryLog
  readonly ledgerPath: string
  readonly warnings: string[]
}

export function world(): World {
  return { clock: virtualClock(), log: new MemoryLog(), ledgerPath: join(tempDir(), 'ledger.db'), warnings: [] }
}

/** Where a process lives: most tests play it in virtual time. */
export type Place = Omit<World, 'clock'> & { readonly clock: Clock }

/** One life of the process, with one or more routes on one ledger. */
export class Life {
  readonly ledger: Ledger
  readonly routes: Map<string, Route> = new Map()
  readonly #world: Place
  readonly #sinks: Sink[] = []
  /** Calls of sinks under way; a call of a dead process ends in its own time, and nobody hears of it. */
  readonly #calls = new Set<Promise<unknown>>()
  #dead = false

  constructor(at: Place) {
    this.#world = at
    this.ledger = new Ledger(at.ledgerPath)
  }

  /** Puts a route together as the service does, and starts it. */
  async route(
    sink: Sink,
    overrides: Partial<RouteConfig> = {},
    more: {
      reader?: LogReader
      seed?: number
      shaping?: readonly Stage[]
      beforeStart?: (routes: ReadonlyMap<string, Route>) => void
    } = {},
  ): Promise<Route> {
    const { clock, log, warnings } = this.#world
    const config = routeConfig(overrides)
    const reader = more.reader ?? log.reader
    this.ledger.createRoute(config.name, config.from === 'earliest' ? reader.firstSeq : reader.nextSeq)
    const { topics, patterns, dedupe, backfill, changes, validate, limit, order } = config
    const shapes = { limit: limit !== null, order: order !== null }
    const definition: Definition = { topics, patterns, dedupe, backfill, changes, validate, ...shapes }
    const revised = this.ledger.revise(
      config.name,
      this.ledger.route(config.name)?.position ?? 0,
      routeRevision(config),
      JSON.stringify(definition),
      clock.nowMs(),
    )
    const matchers = config.patterns.map(compile)
    const shaping: Stage[] = []
    shaping.push(
      matchStage({
        topics: topics === null ? null : compileTopics(topics, KNOWN_TOPICS),
        matchers: () => matchers,
        backfill,
        changes: changes !== null,
      }),
    )
    const route = new Route({
      config,
      ledger: this.ledger,
      log: reader,
      sink: this.#mortal(sink),
      shaping: [...shaping, ...(more.shaping ?? []), ...(config.dedupe ? [verdictDedupe] : [])],
      clock: this.#mortalClock(clock),
      random: seededRandom(more.seed ?? 1),
      warn: (code, message) => {
        if (!this.#dead) warnings.push(`${code}: ${message}`)
      },
    })
    if (revised) void route.changeLimit(null, () => undefined)
    this.routes.set(config.name, route)
    more.beforeStart?.(this.routes)
    await route.start()
    return route
  }

  get dead(): boolean {
    return this.#dead
  }

  /** The process is gone: nothing it had begun goes on. */
  crash(): void {
    this.#dead = true
    this.ledger.close()
  }

  /** After a crash: what was under way at real files has ended, and they are closed (as the system does for a process). */
  async gone(): Promise<void> {
    await Promise.all(this.#calls)
    for (const sink of this.#sinks) await sink.close()
  }

  async stop(drainMs = 1_000): Promise<void> {
    for (const route of this.routes.values()) await route.stop(drainMs)
    this.ledger.close()
  }

  #mortal(sink: Sink): Sink {
    this.#sinks.push(sink)
    return {
      kind: sink.kind,
      maxBatch: sink.maxBatch,
      concurrency: sink.concurrency,
      open: (position) => sink.open(position),
      deliver: async (events, signal) => {
        if (this.#dead) return never()
        const call = sink.deliver(events, signal)
        this.#calls.add(call)
        const outcomes = await call.finally(() => this.#calls.delete(call))
        return this.#dead ? never() : outcomes
      },
      position: () => sink.position(),
      close: () => sink.close(),
    }
  }

  #mortalClock(clock: Clock): Clock {
    return {
      nowMs: () => clock.nowMs(),
      wait: async (ms, signal) => {
        if (this.#dead) return never()
        await clock.wait(ms, signal)
        if (this.#dead) return never()
      },
    }
  }
}

/** `count` events of one conversation each, or all of `conversationId`. */
export const someEvents = (count: number, overrides: Partial<Event> = {}, from = 0): Event[] =>
  Array.from({ length: count }, (_, i) => eventOf(overrides, from + i))

function never<T>(): Promise<T> {
  return new Promise<T>(() => undefined)
}

function activeFrom(firstSeq: number, count: number): NonNullable<SegmentsView['active']> {
  return {
    path: '/nowhere/0.log',
    firstSeq,
    createdAtMs: 0,
    count,
    bytes: 64,
    minReceivedAtMs: 0,
    maxReceivedAtMs: 0,
    shared: new SharedArrayBuffer(28),
  }
}

/**
 * For tests of what is told of conversations: one data directory and the lives of a process on it. The log here is a list; everything
 * else is real, the rows in SQLite too.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { TrunklineError } from '../errors.ts'
import { decode, DEFAULT_MAX_BYTES } from '../event/decode.ts'
import type { Event } from '../event/event.ts'
import type { LogReader } from '../log/reader.ts'
import type { FinishedConversation } from '../state/finished.ts'
import { StateRows } from '../stores/state-rows.ts'
import { tempDir } from './route-harness.ts'
import { eventWith, START_MS, type Body } from './state-events.ts'
import { FinishedConversations } from '../hosts/finished-conversations.ts'
import { StateKeeper } from '../hosts/state-keeper.ts'

export const QUIET_MS: number = 1_000
export const HORIZON_MS: number = 100_000
const STATE = {
  enabled: true,
  horizonMs: HORIZON_MS,
  skewMs: 60_000,
  quietMs: QUIET_MS,
  serviceTargetMs: 20_000,
  shortAbandonMs: 0,
  serviceLevels: {},
}

/** What happens to an append. */
export type Fate = 'taken' | 'refused' | 'died before' | 'died after'

const LEVEL = { targetMs: 20_000, shortAbandonMs: 0 }

class Died extends Error {}

/** One data directory, and the process on it. */
export class FinishedWorld {
  readonly events: { readonly event: Event; readonly body: Body }[] = []
  /** Bodies of the records in the log, without repetitions: the log knows those. */
  told: readonly FinishedConversation[] = []
  repetitions = 0
  fate: Fate = 'taken'
  nowMs: number = START_MS
  readonly warnings: string[] = []
  readonly #path = join(tempDir(), 'state.db')
  readonly #keys = new Set<string>()
  readonly #fromSeq: number
  #rows!: StateRows
  #position = 1
  keeper!: StateKeeper
  finished!: FinishedConversations

  /** `fromSeq`: the record from which on a route asks for changes. */
  constructor(fromSeq = 1) {
    this.#fromSeq = fromSeq
    this.begin()
  }

  begin(): void {
    const warn = (code: string, message: string): void => void this.warnings.push(`${code}: ${message}`)
    const { events } = this
    const log = { firstSeq: 1, segments: [], get nextSeq() { return events.length + 1 } } as unknown as LogReader // prettier-ignore
    this.#rows = new StateRows({ path: this.#path, warn })
    const nowMs = (): number => this.nowMs
    const keeper = new StateKeeper({
      config: { state: STATE },
      serviceLevel: () => LEVEL,
      rows: this.#rows,
      log,
      nowMs,
      warn,
      changesFromSeq: this.#fromSeq,
    })
    this.keeper = keeper
    this.finished = new FinishedConversations({
      rows: this.#rows.finishing,
      state: () => keeper.state,
      heardThroughMs: () => keeper.heardThroughMs(this.#position),
      heard: keeper.heard,
      horizonMs: HORIZON_MS,
      append: async (body) => this.#append(body),
      clock: { nowMs, wait: async () => undefined },
      warn,
      info: () => undefined,
    })
    this.#position = keeper.load()
    this.fold()
  }

  /** An event comes; when it is folded is another matter. */
  say(kind: string, id: string, atMs: number, body: Body = {}): void {
    const topic = `v2.detail.events.conversation.{id}.${kind}`
    const whole = { conversationId: id, eventTime: START_MS + atMs, ...body }
    this.events.push({ event: eventWith(topic, id, whole, START_MS + atMs, this.nowMs), body: whole })
  }

  fold(): void {
    for (; this.#position <= this.events.length; this.#position++) {
      const { event, body } = this.events[this.#position - 1]!
      this.keeper.fold(event, body, this.#position)
    }
  }

  store(): void {
    this.keeper.store(this.#position)
  }

  /** The process dies: what is not stored is folded again. */
  die(): void {
    this.#rows.close()
    this.begin()
  }

  async round(fate: Fate = 'taken'): Promise<boolean> {
    this.fate = fate
    try {
      return await this.finished.round()
    } catch (error) {
      if (error instanceof Died) this.die()
      else assert.ok(error instanceof TrunklineError)
      return false
    }
  }

  /** Everything that is to be told is told. */
  async settle(fate: Fate = 'taken'): Promise<void> {
    this.fold()
    this.store()
    this.nowMs += QUIET_MS
    while (await this.round(fate));
  }

  #append(body: Uint8Array): { readonly status: number; readonly body: string } {
    if (this.fate === 'refused') throw new TrunklineError('log.disk_full', 'no room', 'Make room.')
    if (this.fate === 'died before') throw new Died()
    for (const line of Buffer.from(body).toString().split('\n')) {
      const [decoded] = decode(Buffer.from(line), { maxBytes: DEFAULT_MAX_BYTES, own: true })
      assert.ok(decoded?.ok && decoded.event.format === 'change')
      const key = Buffer.from(decoded.event.key!).toString('hex')
      if (this.#keys.has(key)) this.repetitions++
      else this.told = [...this.told, (JSON.parse(line) as { detail: { eventBody: FinishedConversation } }).detail.eventBody]
      this.#keys.add(key)
    }
    if (this.fate === 'died after') throw new Died()
    return { status: 202, body: '{"accepted":1,"quarantined":0}' }
  }
}

/** Without what only says when it was looked at. */
export function newsOf(conversation: FinishedConversation): unknown {
  return { ...conversation, asOfMs: 0, newestAtMs: 0 }
}

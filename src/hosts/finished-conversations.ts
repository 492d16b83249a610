/**
 * Tells finished conversations: each becomes one record in the log, by the way that events come in, and reaches the routes that ask for
 * `changes` as any event does. What is told follows from facts that are on disk, and is remembered once the record is: after a crash in
 * between the same bytes come again, and the log knows them for a repetition. Nothing is told twice that says the same; what says
 * something else by now (a wrap-up code that came late) is told again.
 */
import { hash } from 'node:crypto'
import type { Config } from '../config/config.ts'
import { step } from '../diagnostics/step.ts'
import { TrunklineError } from '../errors.ts'
import { CHANGES_VIA, finishedText } from '../event/changes.ts'
import type { Appended, BodyInfo } from '../log/log.ts'
import type { Clock } from '../pipeline/clock.ts'
import type { Ledger } from '../routes/ledger.ts'
import { finishedConversation, type FinishedConversation } from '../state/finished.ts'
import type { State } from '../state/state.ts'
import type { Finishing, FinishingRows, Told } from '../stores/finishing-rows.ts'

export type FinishedConversationsOptions = {
  readonly rows: FinishingRows
  readonly state: () => State
  /** How far what was received has been folded; see StateKeeper. */
  readonly heardThroughMs: () => number
  /** Conversations that were heard of since the state was stored. */
  readonly heard: ReadonlyMap<string, unknown>
  /** How long an agent's end is waited for. */
  readonly horizonMs: number
  readonly append: (body: Uint8Array, info: BodyInfo) => Promise<Appended>
  readonly clock: Clock
  readonly warn: (code: string, message: string) => void
  readonly info: (message: string) => void
}

const EVERY_MS = 1_000
/** Between two rounds while there is more: others want the thread as well. */
const MORE_MS = 5
const CONVERSATIONS_A_ROUND = 100
const BYTES_A_ROUND = 1024 * 1024

type Telling = { readonly finishing: Finishing; readonly told: NonNullable<Told>; readonly text: string }

export class FinishedConversations {
  readonly #o: FinishedConversationsOptions
  #told = 0
  #failing = false

  constructor(options: FinishedConversationsOptions) {
    this.#o = options
  }

  /** Told since the start. */
  get told(): number {
    return this.#told
  }

  /** To be looked at: heard of a moment ago, or closed with an agent at work. */
  get waiting(): number {
    return this.#o.rows.count + this.#o.heard.size
  }

  /** Until the signal aborts. What cannot be written is tried again; it is kept meanwhile. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, warn, info } = this.#o
    while (!signal.aborted) {
      let more = false
      try {
        more = await this.round()
        if (this.#failing) info('finished conversations are put into the log again')
        this.#failing = false
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error)
        const code = error instanceof TrunklineError ? error.code : 'changes.not_told'
        if (!this.#failing) warn(code, `finished conversations cannot be put into the log: ${why}; they wait, and it is tried again`)
        this.#failing = true
      }
      await clock.wait(more ? MORE_MS : EVERY_MS, signal)
    }
  }

  /** Tells some of those that are due; answers whether there are more. Rejects when they cannot be written. */
  async round(): Promise<boolean> {
    const { rows, clock, append, warn } = this.#o
    const throughMs = this.#o.heardThroughMs()
    const due = rows.due(throughMs, CONVERSATIONS_A_ROUND)
    const done: [Finishing, Told][] = []
    const telling: Telling[] = []
    let bytes = 0
    const nowMs = clock.nowMs()
    for (const finishing of due) {
      if (bytes >= BYTES_A_ROUND) break
      // It is stored soon, and due anew then.
      if (this.#o.heard.has(finishing.id)) continue
      const conversation = finishedConversation(this.#o.state(), finishing.id, finishing.final)
      if (conversation === 'agents at work') {
        rows.waitUntil(finishing, throughMs + this.#o.horizonMs)
        continue
      }
      const told = conversation === 'open' ? null : { digest: digestOf(conversation), newestAtMs: conversation.newestAtMs }
      const before = told === null ? null : rows.told(finishing.id)
      if (conversation === 'open' || told === null || (before !== null && Buffer.compare(before, told.digest) === 0)) {
        done.push([finishing, null])
        continue
      }
      const text = finishedText(finishing.id, JSON.stringify(conversation), nowMs)
      bytes += text.length
      telling.push({ finishing, told, text })
    }
    if (telling.length > 0) {
      const body = Buffer.from(telling.map(({ text }) => text).join('\n'))
      const answer = await append(body, { kind: 'ndjson', gzip: false, via: CHANGES_VIA, receivedAtMs: nowMs })
      step('changes.appended')
      const { quarantined } = JSON.parse(answer.body) as { readonly quarantined: number }
      // Trying again would change nothing; their bytes are kept.
      if (quarantined > 0)
        warn('changes.refused', `${quarantined} finished conversations went to quarantine; \`trunkline quarantine\` shows why`)
      for (const { finishing, told } of telling) done.push([finishing, told])
      this.#told += telling.length - quarantined
    }
    if (done.length > 0) rows.settle(done)
    if (telling.length > 0) step('changes.settled')
    return done.length > 0 && (bytes >= BYTES_A_ROUND || due.length === CONVERSATIONS_A_ROUND)
  }
}

/** Equal when there is nothing new to tell: when it was looked at, and when something was last heard that adds nothing, is no news. */
function digestOf(conversation: FinishedConversation): Uint8Array {
  return Buffer.from(hash('sha256', JSON.stringify({ ...conversation, asOfMs: 0, newestAtMs: 0 }), 'buffer').subarray(0, 16))
}

/** The record from which on conversations are told: where the first of the routes began that ask for changes; null when none does. */
export function changesFromSeq(config: Pick<Config, 'routes'>, ledger: Ledger): number | null {
  const seqs = config.routes.filter(({ changes }) => changes !== null).map(({ name }) => Number(ledger.get(BEGAN, name)?.['seq'] ?? 1))
  return seqs.length === 0 ? null : Math.min(...seqs)
}

/** The first definition with changes; a route without any definition yet has only begun. */
const BEGAN = `SELECT coalesce((SELECT min(from_seq) FROM revisions WHERE route = r.name AND definition ->> '$.changes' IS NOT NULL), r.started_seq) AS seq
  FROM routes r WHERE r.name = ?`

/**
 * Sends batches one after the other, so that order is kept, and counts only what the service acknowledged. A batch
 * without an answer (dropped connection, 5xx, 429) is sent again with growing waits: the service recognises what it
 * has already. Gives up when a batch was not
 * acknowledged for the whole timeout.
 */
import { TrunklineError } from '../errors.ts'
import { bodyOf, halvesOf, type Batch } from './batches.ts'
import { problemIn, type Answer, type Client } from './client.ts'
import type { Problem } from './context.ts'
import type { InputRecord } from './input.ts'
import type { Io } from './io.ts'
import { fieldOf, listOf, numberOf, textOf } from './read.ts'

export type SendError = {
  readonly source: string
  /** Place of the record in its source, from 0. */
  readonly index: number
  readonly code: string
  readonly message: string
  readonly quarantineId: string | null
}

export type SendCounts = {
  /** Records that got an answer. */
  answered: number
  /** Events the service has on disk; a record may wrap several. */
  accepted: number
  quarantined: number
  /** Too large for the service even alone. */
  refused: number
  /** Requests made again because no answer came. */
  resent: number
  readonly errors: SendError[]
  errorsNotListed: number
  /** Ids of the first accepted events. */
  readonly ids: string[]
}

export type SendingOptions = {
  readonly client: Client
  readonly io: Io
  readonly signal: AbortSignal
  /** Longest time one batch may go without an acknowledgement. */
  readonly timeoutMs: number
  onProgress(counts: SendCounts, waiting: string | null): void
}

/** The user stopped it. */
export const INTERRUPTED: Problem = {
  code: 'send.interrupted',
  message: 'Interrupted.',
  hint: 'Send the same input again: what was acknowledged is recognised and not delivered twice.',
}

const MAX_ERRORS_LISTED = 1000
const MAX_IDS_LISTED = 100
const FIRST_WAIT_MS = 250
const LONGEST_WAIT_MS = 10_000
const REQUEST_TIMEOUT_MS = 30_000

export class Sending {
  readonly #o: SendingOptions
  readonly counts: SendCounts = { answered: 0, accepted: 0, quarantined: 0, refused: 0, resent: 0, errors: [], errorsNotListed: 0, ids: [] }

  constructor(options: SendingOptions) {
    this.#o = options
  }

  /** Resolves when every record of the batch was answered for; rejects with the problem when that is not to be had. */
  async send(batch: Batch): Promise<void> {
    const answer = await this.#answerTo(batch)
    if (answer.status === 413) return this.#sendSmaller(batch, answer)
    const accepted = numberOf(answer.body, 'accepted')
    const quarantined = numberOf(answer.body, 'quarantined')
    if (!(answer.status === 202 || answer.status === 400) || accepted === null || quarantined === null)
      throw problemIn(answer, this.#o.client.url)
    const { counts } = this
    counts.answered += batch.records.length
    counts.accepted += accepted
    counts.quarantined += quarantined
    for (const id of listOf(answer.body, 'ids').flat())
      if (typeof id === 'string' && counts.ids.length < MAX_IDS_LISTED) counts.ids.push(id)
    for (const error of listOf(answer.body, 'errors')) this.#note(batch.records[numberOf(error, 'index') ?? -1] ?? batch.records[0], error)
    this.#o.onProgress(counts, null)
  }

  async #answerTo(batch: Batch): Promise<Answer> {
    const { client, io, signal, timeoutMs, onProgress } = this.#o
    const body = bodyOf(batch)
    const giveUpAtMs = io.clock.nowMs() + timeoutMs
    for (let attempt = 0; ; attempt++) {
      const leftMs = giveUpAtMs - io.clock.nowMs()
      let problem: TrunklineError
      let retryAfterMs = 0
      try {
        const answer = await client.call('POST', '/v1/events', {
          body,
          signal,
          timeoutMs: Math.max(1, Math.min(REQUEST_TIMEOUT_MS, leftMs)),
        })
        if (!isTemporary(answer)) return answer
        problem = problemIn(answer, client.url)
        retryAfterMs = retryAfter(answer.headers, io.clock.nowMs())
      } catch (error) {
        if (fieldOf(error, 'code') !== 'client.unreachable') throw error
        problem = error as TrunklineError
      }
      if (signal.aborted) throw new TrunklineError(INTERRUPTED.code, INTERRUPTED.message, INTERRUPTED.hint)
      const backoffMs = io.random() * Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt)
      const waitMs = Math.max(retryAfterMs, backoffMs)
      if (io.clock.nowMs() + waitMs >= giveUpAtMs) throw givenUp(problem, timeoutMs)
      onProgress(this.counts, problem.message)
      await io.clock.wait(waitMs, signal)
      this.counts.resent++
    }
  }

  async #sendSmaller(batch: Batch, answer: Answer): Promise<void> {
    const halves = halvesOf(batch)
    if (halves !== null) {
      for (const half of halves) await this.send(half)
      return
    }
    this.counts.answered++
    this.counts.refused++
    this.#note(batch.records[0], fieldOf(listOf(answer.body, 'errors'), '0') ?? problemIn(answer, this.#o.client.url))
    this.#o.onProgress(this.counts, null)
  }

  #note(record: InputRecord | undefined, error: unknown): void {
    if (this.counts.errors.length >= MAX_ERRORS_LISTED) {
      this.counts.errorsNotListed++
      return
    }
    this.counts.errors.push({
      source: record?.source ?? '-',
      index: record?.index ?? 0,
      code: textOf(error, 'code') ?? 'send.refused',
      message: textOf(error, 'message') ?? '',
      quarantineId: textOf(error, 'quarantineId'),
    })
  }
}

/** Answers after which the same request may well succeed. */
function isTemporary(answer: Answer): boolean {
  return answer.status >= 500 || answer.status === 429 || answer.status === 408 || (answer.status === 202 && answer.body === undefined)
}

/** Retry-After in either of its forms; 0 when there is none. */
function retryAfter(headers: Headers, nowMs: number): number {
  const text = headers.get('retry-after')?.trim() ?? ''
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000
  const atMs = text === '' ? NaN : Date.parse(text)
  return Number.isNaN(atMs) ? 0 : Math.max(0, atMs - nowMs)
}

function givenUp(problem: TrunklineError, timeoutMs: number): TrunklineError {
  const message = `Nothing was acknowledged for ${timeoutMs / 1000} s: ${problem.message}`
  return new TrunklineError(
    'send.gave_up',
    message,
    `${problem.hint} Sending the same input again is safe; --timeout waits longer.`.trim(),
    { cause: problem },
  )
}

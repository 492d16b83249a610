/**
 * Intake behind the socket: bodies in, answers out. Decodes each record, resolves identity once for all routes, writes
 * groups to the log, syncs, and only then answers. Runs in the writer thread; its caller gives it bodies and sends
 * what it emits.
 *
 * While one group is being synced the next is decoded and framed (natural group commit). When a group cannot be made
 * durable, everything prepared behind it fails with it: a record may have been called a duplicate of one that is lost.
 */
import { gunzipSync } from 'node:zlib'
import { step } from '../diagnostics/step.ts'
import { CHANGES_VIA } from '../event/changes.ts'
import { type DecodeOptions, decode } from '../event/decode.ts'
import type { Decoded, DecodedEvent } from '../event/event.ts'
import { splitBody } from '../event/split.ts'
import { AnswerBuilder } from './answer.ts'
import { Rows } from './columns.ts'
import { quarantineId } from './event-id.ts'
import { FRAME_HEADER_BYTES, FrameBuilder, KIND_EVENT, KIND_QUARANTINE, type QuarantineMeta, eventMeta } from './frame.ts'
import type { KnownKeys } from './known-keys.ts'
import { noCounts, type AppendAnswer, type AppendRequest, type LogCounters } from './messages.ts'
import type { Group, SegmentWriter } from './segment-writer.ts'

/** Frames are about so much larger than the events in them (1.3 KB ones; small ones more, and the buffer grows). */
const FRAMING = 1.4
const GROUP_BYTES = 2 * 1024 * 1024
/** Rows written together: with those of the segment they stay far below what its columns can hold. */
const WRITE_ROWS = 500_000
/** Failed records of one request that are kept and named one by one; the bytes of further ones are kept together. */
const MAX_FAILURES_APART = 1_000
/** A body that is mostly garbage is not decoded beyond so many failures. */
const MAX_FAILURES_READ = 10_000
/** What one request may become once its layers are off: a few kilobytes of nested gzip must not fill the memory. */
const MAX_EVENTS_PER_REQUEST = 500_000
const UNPACKED_TIMES = 4

export type CommittedGroup = {
  readonly answers: readonly AppendAnswer[]
  readonly frames: readonly Buffer[]
  readonly firstSeq: number
  readonly lastSeq: number
}

export type RefusedGroup = { readonly ids: readonly number[]; readonly error: unknown }

/** One file's share of a group. */
type Part = { readonly frames: FrameBuilder; readonly rows: Rows; readonly firstSeq: number }

type Prepared = {
  readonly events: Part
  readonly quarantine: Part
  answers: AppendAnswer[]
  minReceivedAtMs: number
  maxReceivedAtMs: number
  /** Why the group cannot be written, when that is known already. */
  error: unknown
  /** Counted when the group is committed: what was refused never was. */
  readonly tally: Pick<LogCounters, 'accepted' | 'duplicates' | 'quarantined' | 'idsReused'>
}

export type EventLogOptions = {
  readonly logId: string
  readonly events: SegmentWriter
  readonly quarantine: SegmentWriter
  readonly keys: KnownKeys
  readonly decode: DecodeOptions
  readonly maxBodyBytes: number
  readonly onCommitted: (group: CommittedGroup) => void
  readonly onRefused: (group: RefusedGroup) => void
}

export class EventLog {
  readonly counters: LogCounters = noCounts()
  readonly #options: EventLogOptions
  #nextSeq: number
  #nextQuarantineSeq: number
  #queue: Prepared[] = []
  #syncing = false
  /** A group failed: the known keys may name records that are lost. They are learnt anew before the next record. */
  #keysAreStale = false
  #scheduled = false
  #idle: (() => void)[] = []

  constructor(options: EventLogOptions) {
    this.#options = options
    this.#nextSeq = options.events.nextSeq
    this.#nextQuarantineSeq = options.quarantine.nextSeq
  }

  /** Takes requests whose bodies lie in `buffer`; each is answered or refused later, in order. */
  append(buffer: Buffer, requests: readonly AppendRequest[]): void {
    let bytes = 0
    for (const { length } of requests) bytes += length
    try {
      if (this.#keysAreStale && !this.#syncing && this.#queue.length === 0) {
        this.#options.keys.forget()
        this.#keysAreStale = false
      }
      this.#options.events.admit(bytes + requests.length * FRAME_HEADER_BYTES)
    } catch (error) {
      this.#options.onRefused({ ids: requests.map((r) => r.id), error })
      return
    }
    for (const request of requests) {
      const group = this.#groupFor(request.length, bytes)
      bytes -= request.length
      try {
        this.#prepare(group, buffer.subarray(request.offset, request.offset + request.length), request)
      } catch (error) {
        group.error = error
        group.answers.push({ id: request.id, status: 503, body: '' })
      }
    }
    // Messages that have queued up meanwhile join the group: the flush comes after them.
    if (this.#syncing || this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      void this.#flush()
    })
  }

  /** Resolves when everything appended so far is answered or refused. */
  drained(): Promise<void> {
    if (!this.#syncing && this.#queue.length === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  /** The group a body goes into: the open one while it has room, else a new one with room for what is to come. */
  #groupFor(bytes: number, bytesToCome: number): Prepared {
    const last = this.#queue.at(-1)
    if (last !== undefined) {
      const used = last.events.frames.length + last.quarantine.frames.length
      if (used === 0 || used + bytes * FRAMING <= GROUP_BYTES) return last
    }
    const capacity = Math.max(bytes * FRAMING, Math.min(GROUP_BYTES, bytesToCome * FRAMING))
    const group: Prepared = {
      events: {
        frames: new FrameBuilder(1024 + Math.ceil(capacity)),
        rows: new Rows(),
        firstSeq: this.#nextSeq,
      },
      quarantine: { frames: new FrameBuilder(1024), rows: new Rows(), firstSeq: this.#nextQuarantineSeq },
      answers: [],
      minReceivedAtMs: Infinity,
      maxReceivedAtMs: 0,
      error: null,
      tally: { accepted: 0, duplicates: 0, quarantined: 0, idsReused: 0 },
    }
    this.#queue.push(group)
    return group
  }

  #prepare(group: Prepared, body: Buffer, request: AppendRequest): void {
    const answer = new AnswerBuilder(this.#options.logId, request)
    if (request.receivedAtMs < group.minReceivedAtMs) group.minReceivedAtMs = request.receivedAtMs
    if (request.receivedAtMs > group.maxReceivedAtMs) group.maxReceivedAtMs = request.receivedAtMs
    if (request.oversize !== null) {
      const message = `the body has ${request.oversize.sizeBytes} bytes, more than the limit; only its head was kept`
      this.#quarantine(group, answer, body, 'intake.too_large', message, 0, request.oversize)
    } else
      for (const [index, record] of this.#records(group, answer, body).entries()) {
        if (answer.rest.length >= MAX_FAILURES_READ && answer.rest.length > answer.acceptedCount) {
          // Garbage costs ten times what an event costs: it is kept, but read no further.
          answer.begin(index, false)
          answer.rest.push({ index, bytes: record })
          continue
        }
        const results = this.#decode(record, answer, request.via === CHANGES_VIA)
        answer.begin(index, results.length !== 1)
        for (const result of results)
          if (result.ok) answer.accepted(this.#accept(group, result.event, request), index, result.event.raw.length)
          else if (answer.failedCount < MAX_FAILURES_APART)
            this.#quarantine(group, answer, result.bytes, result.code, result.message, index, null)
          else answer.rest.push({ index, bytes: result.bytes })
      }
    this.#quarantineRest(group, answer)
    group.answers.push(answer.finish())
  }

  #decode(record: Uint8Array, answer: AnswerBuilder, own: boolean): Decoded[] {
    const { decode: options, maxBodyBytes } = this.#options
    if (answer.acceptedCount >= MAX_EVENTS_PER_REQUEST || answer.acceptedBytes > UNPACKED_TIMES * maxBodyBytes)
      return [
        {
          ok: false,
          code: 'decode.too_large',
          message: 'what came before it in the same request has unpacked to too much; send smaller requests',
          bytes: record,
        },
      ]
    if (record.length <= options.maxBytes) return decode(record, own ? { ...options, own } : options)
    const message = `the record has ${record.length} bytes; one record may have ${options.maxBytes}`
    return [{ ok: false, code: 'decode.too_large', message, bytes: record }]
  }

  #records(group: Prepared, answer: AnswerBuilder, body: Buffer): readonly Uint8Array[] {
    let plain = body
    if (answer.request.gzip)
      try {
        plain = gunzipSync(body, { maxOutputLength: this.#options.maxBodyBytes })
      } catch (error) {
        const bomb = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
        const code = bomb ? 'decode.too_large' : 'decode.gzip'
        const message = bomb
          ? `the body unpacks to more than ${this.#options.maxBodyBytes} bytes`
          : `the body says content-encoding gzip but does not unpack: ${(error as Error).message}`
        this.#quarantine(group, answer, body, code, message, 0, null)
        return []
      }
    const records = splitBody(plain, answer.request.kind)
    if (records.length === 0) this.#quarantine(group, answer, plain, 'decode.empty', 'the body holds no record', 0, null)
    return records
  }

  #accept(group: Prepared, event: DecodedEvent, request: AppendRequest): number {
    const { keys } = this.#options
    const seq = this.#nextSeq++
    const firstSeq = event.key === null ? -1 : keys.firstOf(event.key, request.receivedAtMs)
    let decoded = event
    if (event.key !== null && firstSeq < 0) keys.add(event.key, seq)
    if (event.envelopeKey !== null) {
      if (keys.firstOf(event.envelopeKey, request.receivedAtMs) < 0) keys.add(event.envelopeKey, seq)
      else if (firstSeq < 0) {
        decoded = { ...event, marks: [...event.marks, 'id.reused'] }
        group.tally.idsReused++
      }
    }
    if (firstSeq >= 0) group.tally.duplicates++
    group.tally.accepted++
    const offset = group.events.frames.add({
      kind: KIND_EVENT,
      seq,
      receivedAtMs: request.receivedAtMs,
      firstSeq,
      key: event.key,
      semantic: event.keyKind === 'semantic',
      envelopeKey: event.envelopeKey,
      meta: JSON.stringify(eventMeta(decoded, request.via)),
      raw: event.raw,
    })
    group.events.rows.add(decoded, offset)
    return seq
  }

  #quarantine(
    group: Prepared,
    answer: AnswerBuilder,
    bytes: Uint8Array,
    code: string,
    message: string,
    index: number,
    oversize: { sizeBytes: number; sha256: string } | null,
    count = 1,
  ): void {
    group.tally.quarantined += count
    const seq = this.#nextQuarantineSeq++
    const meta: QuarantineMeta = {
      code,
      message,
      via: answer.request.via,
      index,
      sizeBytes: oversize?.sizeBytes ?? bytes.length,
      sha256: oversize?.sha256 ?? null,
    }
    const { receivedAtMs } = answer.request
    const offset = group.quarantine.frames.add({
      kind: KIND_QUARANTINE,
      seq,
      receivedAtMs,
      firstSeq: -1,
      key: null,
      semantic: false,
      envelopeKey: null,
      meta: JSON.stringify(meta),
      raw: bytes,
    })
    group.quarantine.rows.add(null, offset)
    answer.failed(index, code, message, quarantineId(this.#options.logId, seq), count)
  }

  /** What a body holds of garbage beyond the first thousand records: one quarantined record, a line each. */
  #quarantineRest(group: Prepared, answer: AnswerBuilder): void {
    const { rest } = answer
    const first = rest[0]
    if (first === undefined) return
    const lines = Buffer.concat(rest.flatMap(({ bytes }, i) => (i === 0 ? [bytes] : [NEWLINE, bytes])))
    const message = `${rest.length} further records of this body, from this one on, do not decode (or were not tried, after so many); their bytes are kept together, one a line`
    this.#quarantine(group, answer, lines, 'decode.more_failures', message, first.index, null, rest.length)
    rest.length = 0
  }

  /** The next groups to be written together. */
  #take(): Prepared[] {
    let rows = 0
    const end = this.#queue.findIndex((group, i) => (rows += group.events.rows.count) > WRITE_ROWS && i > 0)
    return this.#queue.splice(0, end < 0 ? this.#queue.length : end)
  }

  async #flush(): Promise<void> {
    if (this.#syncing) return
    this.#syncing = true
    while (this.#queue.length > 0) {
      const groups = this.#take()
      step('log.prepared')
      const error = groups.find((g) => g.error !== null)?.error ?? (await this.#makeDurable(groups))
      if (error === null) this.#commit(groups)
      else {
        // Whatever was prepared meanwhile may lean on what has just failed.
        const failed = [...groups, ...this.#queue]
        this.#queue = []
        this.#refuse(failed, error)
      }
    }
    this.#syncing = false
    const idle = this.#idle
    this.#idle = []
    for (const resolve of idle) resolve()
  }

  async #makeDurable(groups: readonly Prepared[]): Promise<unknown> {
    const { events, quarantine } = this.#options
    const good = filled(groups, (g) => g.events)
    const bad = filled(groups, (g) => g.quarantine)
    try {
      if (bad.length > 0) {
        quarantine.admit(bad.reduce((total, g) => total + g.frames.length, 0))
        await quarantine.write(bad)
      }
      if (good.length > 0) await events.write(good)
      step('log.synced')
      return null
    } catch (error) {
      events.abandon()
      quarantine.abandon()
      return error ?? new Error('unknown write failure')
    }
  }

  #commit(groups: readonly Prepared[]): void {
    this.#options.events.commit(filled(groups, (g) => g.events))
    this.#options.quarantine.commit(filled(groups, (g) => g.quarantine))
    for (const { events, answers, tally } of groups) {
      this.counters.accepted += tally.accepted
      this.counters.duplicates += tally.duplicates
      this.counters.quarantined += tally.quarantined
      this.counters.idsReused += tally.idsReused
      this.counters.groups++
      this.counters.bytes += events.frames.length
      this.#options.onCommitted({
        answers,
        frames: events.rows.count > 0 ? [events.frames.finish()] : [],
        firstSeq: events.firstSeq,
        lastSeq: events.firstSeq + events.rows.count - 1,
      })
    }
  }

  #refuse(groups: readonly Prepared[], error: unknown): void {
    // None of these numbers reached the log or an answer: they are given out again.
    this.#keysAreStale = true
    this.#nextSeq = this.#options.events.nextSeq
    this.#nextQuarantineSeq = this.#options.quarantine.nextSeq
    const ids = groups.flatMap((g) => g.answers.map((a) => a.id))
    this.#options.onRefused({ ids, error })
  }
}

const NEWLINE: Uint8Array = Buffer.from('\n')

/** The parts of groups that hold records, as the segment writer takes them. */
function filled(groups: readonly Prepared[], partOf: (group: Prepared) => Part): Group[] {
  return groups.flatMap((group) => {
    const { frames, rows, firstSeq } = partOf(group)
    const { minReceivedAtMs, maxReceivedAtMs } = group
    return rows.count === 0 ? [] : [{ frames: frames.finish(), rows, firstSeq, minReceivedAtMs, maxReceivedAtMs }]
  })
}

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
import { type DecodeOptions, decode } from '../event/decode.ts'
import type { DecodedEvent } from '../event/event.ts'
import { splitBody } from '../event/split.ts'
import { eventId, quarantineId } from './event-id.ts'
import { FRAME_HEADER_BYTES, FrameBuilder, KIND_EVENT, KIND_QUARANTINE, type QuarantineMeta, eventMeta } from './frame.ts'
import type { KnownKeys } from './known-keys.ts'
import type { AppendAnswer, AppendRequest, LogCounters } from './messages.ts'
import type { SegmentWriter } from './segment-writer.ts'

const GROUP_BYTES = 4 * 1024 * 1024
const IDS_ABOVE = 100

export type CommittedGroup = {
  readonly answers: readonly AppendAnswer[]
  readonly frames: readonly Buffer[]
  readonly firstSeq: number
  readonly lastSeq: number
}

export type RefusedGroup = { readonly ids: readonly number[]; readonly error: unknown }

type Prepared = {
  readonly frames: FrameBuilder
  readonly quarantine: FrameBuilder
  readonly firstSeq: number
  lastSeq: number
  answers: AppendAnswer[]
  keys: { key: Uint8Array; seq: number }[]
}

export type EventLogOptions = {
  readonly logId: string
  readonly events: SegmentWriter
  readonly quarantine: SegmentWriter
  readonly keys: KnownKeys
  readonly decode: DecodeOptions
  readonly onCommitted: (group: CommittedGroup) => void
  readonly onRefused: (group: RefusedGroup) => void
}

export class EventLog {
  readonly counters: LogCounters = {
    accepted: 0,
    duplicates: 0,
    quarantined: 0,
    idsReused: 0,
    groups: 0,
    bytes: 0,
    quarantineDropped: 0,
  }
  readonly #options: EventLogOptions
  #nextSeq: number
  #nextQuarantineSeq: number
  #queue: Prepared[] = []
  #syncing = false
  #idle: (() => void)[] = []

  constructor(options: EventLogOptions) {
    this.#options = options
    this.#nextSeq = options.events.nextSeq
    this.#nextQuarantineSeq = options.quarantine.nextSeq
  }

  /** Takes requests whose bodies lie in `buffer`; each is answered or refused later, in order. */
  append(buffer: Buffer, requests: readonly AppendRequest[]): void {
    let group = this.#openGroup(buffer.length)
    for (const request of requests) {
      if (group.frames.length + group.quarantine.length >= GROUP_BYTES) group = this.#openGroup(buffer.length, true)
      this.#prepare(group, buffer.subarray(request.offset, request.offset + request.length), request)
    }
    void this.#flush()
  }

  /** Resolves when everything appended so far is answered or refused. */
  drained(): Promise<void> {
    if (!this.#syncing && this.#queue.length === 0) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  #openGroup(bytesToCome: number, fresh = false): Prepared {
    const last = this.#queue.at(-1)
    if (!fresh && last !== undefined && last.frames.length < GROUP_BYTES) return last
    const group: Prepared = {
      frames: new FrameBuilder(Math.min(GROUP_BYTES, 1024 + Math.ceil(bytesToCome * 1.6))),
      quarantine: new FrameBuilder(1024),
      firstSeq: this.#nextSeq,
      lastSeq: this.#nextSeq - 1,
      answers: [],
      keys: [],
    }
    this.#queue.push(group)
    return group
  }

  #prepare(group: Prepared, body: Buffer, request: AppendRequest): void {
    const answer = new AnswerBuilder(this.#options.logId, request)
    if (request.oversize !== null) {
      const message = `the body has ${request.oversize.sizeBytes} bytes, more than the limit; only its head was kept`
      this.#quarantine(group, answer, body, 'intake.too_large', message, 0, request.oversize)
    } else
      for (const [index, record] of this.#records(group, answer, body).entries()) {
        const results = decode(record, this.#options.decode)
        answer.begin(index, results.length !== 1)
        for (const result of results)
          if (result.ok) answer.accepted(this.#accept(group, result.event, request), index)
          else this.#quarantine(group, answer, result.bytes, result.code, result.message, index, null)
      }
    group.answers.push(answer.finish())
  }

  #records(group: Prepared, answer: AnswerBuilder, body: Buffer): readonly Uint8Array[] {
    let plain = body
    if (answer.request.gzip)
      try {
        plain = gunzipSync(body, { maxOutputLength: this.#options.decode.maxBytes })
      } catch (error) {
        const bomb = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
        const code = bomb ? 'decode.too_large' : 'decode.gzip'
        const message = bomb
          ? `the body unpacks to more than ${this.#options.decode.maxBytes} bytes`
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
    if (event.key !== null && firstSeq < 0) this.#remember(group, event.key, seq)
    if (event.envelopeKey !== null) {
      if (keys.firstOf(event.envelopeKey, request.receivedAtMs) < 0) this.#remember(group, event.envelopeKey, seq)
      else if (firstSeq < 0) {
        decoded = { ...event, marks: [...event.marks, 'id.reused'] }
        this.counters.idsReused++
      }
    }
    if (firstSeq >= 0) this.counters.duplicates++
    this.counters.accepted++
    group.lastSeq = seq
    group.frames.add({
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
    return seq
  }

  #remember(group: Prepared, key: Uint8Array, seq: number): void {
    this.#options.keys.expect(key, seq)
    group.keys.push({ key, seq })
  }

  #quarantine(
    group: Prepared,
    answer: AnswerBuilder,
    bytes: Uint8Array,
    code: string,
    message: string,
    index: number,
    oversize: { sizeBytes: number; sha256: string } | null,
  ): void {
    this.counters.quarantined++
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
    group.quarantine.add({
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
    answer.failed(index, code, message, quarantineId(this.#options.logId, seq))
  }

  async #flush(): Promise<void> {
    if (this.#syncing) return
    this.#syncing = true
    while (this.#queue.length > 0) {
      const groups = this.#queue
      this.#queue = []
      step('log.prepared')
      const error = await this.#makeDurable(groups)
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
    const frames = groups.map((g) => g.frames.finish()).filter((b) => b.length > 0)
    const bad = groups.map((g) => g.quarantine.finish()).filter((b) => b.length > 0)
    try {
      if (bad.length > 0) quarantine.admit(sum(bad))
      if (frames.length > 0) events.admit(sum(frames))
    } catch (error) {
      return error
    }
    try {
      if (bad.length > 0) {
        quarantine.write(bad, firstSeqOf(bad))
        await quarantine.sync()
      }
      if (frames.length > 0) {
        events.write(frames, firstSeqOf(frames))
        await events.sync()
      }
      step('log.synced')
      return null
    } catch (error) {
      events.abandon()
      quarantine.abandon()
      return error
    }
  }

  #commit(groups: readonly Prepared[]): void {
    const { events, quarantine, keys } = this.#options
    events.commit(groups.map((g) => g.frames.finish()))
    quarantine.commit(groups.map((g) => g.quarantine.finish()))
    for (const group of groups) {
      for (const { key, seq } of group.keys) keys.add(key, seq)
      this.counters.groups++
      this.counters.bytes += group.frames.length
      this.#options.onCommitted({
        answers: group.answers,
        frames: group.frames.length > 0 ? [group.frames.finish()] : [],
        firstSeq: group.firstSeq,
        lastSeq: group.lastSeq,
      })
    }
  }

  #refuse(groups: readonly Prepared[], error: unknown): void {
    // None of these numbers reached the log or an answer: they are given out again.
    this.#options.keys.forget()
    this.#nextSeq = this.#options.events.nextSeq
    this.#nextQuarantineSeq = this.#options.quarantine.nextSeq
    const ids = groups.flatMap((g) => g.answers.map((a) => a.id))
    this.#options.onRefused({ ids, error })
  }
}

/** Builds the answer of one request as JSON text, in the shape of the HTTP interface. */
class AnswerBuilder {
  readonly request: AppendRequest
  readonly #logId: string
  #ids: (string | null | string[])[] = []
  #errors: { index: number; code: string; message: string; quarantineId: string }[] = []
  #accepted = 0

  constructor(logId: string, request: AppendRequest) {
    this.#logId = logId
    this.request = request
  }

  begin(index: number, list: boolean): void {
    this.#ids[index] = list ? [] : null
  }

  accepted(seq: number, index: number): void {
    this.#accepted++
    const id = eventId(this.#logId, seq)
    const place = this.#ids[index]
    if (Array.isArray(place)) place.push(id)
    else this.#ids[index] = id
  }

  failed(index: number, code: string, message: string, id: string): void {
    this.#errors.push({ index, code, message, quarantineId: id })
    if (this.#ids[index] === undefined) this.#ids[index] = null
  }

  finish(): AppendAnswer {
    const withIds = this.#ids.length <= IDS_ABOVE || this.request.wantIds
    const body = JSON.stringify({
      accepted: this.#accepted,
      quarantined: this.#errors.length,
      ...(withIds ? { ids: this.#ids } : {}),
      errors: this.#errors,
    })
    const status = this.#accepted > 0 ? 202 : this.request.oversize !== null ? 413 : 400
    return { id: this.request.id, status, body }
  }
}

const sum = (buffers: readonly Buffer[]): number => buffers.reduce((total, b) => total + b.length, 0)

/** Seq of the first frame of the first buffer. */
function firstSeqOf(buffers: readonly Buffer[]): number {
  const first = buffers[0]
  if (first === undefined || first.length < FRAME_HEADER_BYTES) throw new RangeError('no frame in this group')
  return first.readDoubleLE(16)
}

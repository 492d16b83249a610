/**
 * The log, as the main thread sees it: append bodies, read committed records. The writing itself happens in a thread
 * of its own (writer-thread.ts); requests that arrive in one turn of the event loop go to it as one message.
 */
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { TrunklineError } from '../errors.ts'
import { noCounts, type AppendRequest, type FromWriter, type LogCounters, type ToWriter } from './messages.ts'
import { LogReader } from './reader.ts'
import { packRequests, unpackAnswers } from './wire.ts'
import type { WriterData } from './writer-thread.ts'

export type LogOptions = WriterData & {
  /** Called once when the writer dies or cannot go on; the host must stop. */
  readonly onFatal: (error: Error) => void
}

/** How a body is to be read. */
export type BodyInfo = {
  readonly kind: AppendRequest['kind']
  readonly gzip: boolean
  readonly via: string
  readonly receivedAtMs: number
  readonly wantIds?: boolean
  readonly oversize?: { readonly sizeBytes: number; readonly sha256: string }
}

/** Answer to an appended body: HTTP status and ready JSON, given after the log is on disk. */
export type Appended = { readonly status: number; readonly body: string }

export type RecoveryReport = {
  readonly tornBytes: number
  readonly damagedRecords: number
  readonly damagedBytes: number
  readonly tookMs: number
}

type Waiting = { readonly resolve: (answer: Appended) => void; readonly reject: (error: Error) => void; readonly bytes: number }

const MIN_SPARE_BYTES = 256 * 1024
const MAX_SPARE_BYTES = 8 * 1024 * 1024
const MAX_SPARE = 2
const GZIP_WEIGHT = 8
/** Most of what the writer allocates is gone with its group: a small nursery keeps the process small. */
const WRITER_YOUNG_MIB = 12

export class Log {
  readonly logId: string
  readonly events: LogReader
  readonly quarantine: LogReader
  recovery: RecoveryReport = { tornBytes: 0, damagedRecords: 0, damagedBytes: 0, tookMs: 0 }
  counters: LogCounters = noCounts()
  totalBytes = 0
  /** Bytes handed to the writer and not answered yet. */
  pendingBytes = 0
  readonly #worker: Worker
  readonly #options: LogOptions
  readonly #listeners = new Set<() => void>()
  readonly #waiting = new Map<number, Waiting>()
  #spare: ArrayBuffer[] = []
  #queue: { body: Uint8Array; info: BodyInfo; id: number }[] = []
  #scheduled = false
  #nextRequest = 1
  #closing = false
  #closed: (() => void) | null = null
  #ready!: { resolve: (log: Log) => void; reject: (error: Error) => void }

  private constructor(options: LogOptions) {
    this.#options = options
    this.logId = options.logId
    this.events = new LogReader(options.logId)
    this.quarantine = new LogReader(options.logId)
    const { onFatal: _, ...workerData } = options
    const here = import.meta.url
    this.#worker = new Worker(new URL(`./writer-thread${extname(fileURLToPath(here))}`, here), {
      workerData,
      resourceLimits: { maxYoungGenerationSizeMb: WRITER_YOUNG_MIB },
    })
    this.#worker.on('message', (message: FromWriter) => this.#receive(message))
    this.#worker.on('error', (error) => this.#die(error as Error))
    this.#worker.on('exit', (code) => {
      if (!this.#closing)
        this.#die(
          new TrunklineError('log.writer_gone', `the log's writer ended with ${code}`, 'Start again; nothing acknowledged is lost.'),
        )
    })
  }

  /** Opens the log of a data directory, cutting a torn tail. Rejects with a coded error when it must not be opened. */
  static open(options: LogOptions): Promise<Log> {
    return new Promise((resolve, reject) => {
      const log = new Log(options)
      log.#ready = { resolve, reject }
    })
  }

  /** Appends a body; resolves when what it holds is on disk, rejects with a coded TrunklineError when it is not. */
  append(body: Uint8Array, info: BodyInfo): Promise<Appended> {
    if (this.#closing) return Promise.reject(new TrunklineError('log.closing', 'the service is stopping', 'Send it again later.'))
    return new Promise((resolve, reject) => {
      const id = this.#nextRequest++
      // What a gzip body unpacks to is not known yet; JSON shrinks to about an eighth.
      const bytes = info.gzip ? body.length * GZIP_WEIGHT : body.length
      this.#waiting.set(id, { resolve, reject, bytes })
      this.pendingBytes += bytes
      this.#queue.push({ body, info, id })
      if (this.#scheduled) return
      this.#scheduled = true
      setImmediate(() => this.#send())
    })
  }

  /** Calls `listener` after each commit. Answers the function that stops it. */
  onCommitted(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Everything below `seq` is settled by every route: retention may take it. */
  release(seq: number): void {
    this.#post({ type: 'release', seq })
  }

  /** Answers what was appended, then closes. */
  close(): Promise<void> {
    if (this.#closing) return Promise.resolve()
    this.#send()
    this.#closing = true
    return new Promise((resolve) => {
      this.#closed = resolve
      this.#post({ type: 'close' })
    })
  }

  #send(): void {
    this.#scheduled = false
    const queue = this.#queue
    if (queue.length === 0) return
    this.#queue = []
    let total = 0
    for (const { body } of queue) total += body.length
    const buffer = this.#takeBuffer(total)
    const bytes = new Uint8Array(buffer)
    const requests: AppendRequest[] = []
    let offset = 0
    for (const { body, info, id } of queue) {
      bytes.set(body, offset)
      requests.push({
        id,
        offset,
        length: body.length,
        kind: info.kind,
        gzip: info.gzip,
        via: info.via,
        receivedAtMs: info.receivedAtMs,
        wantIds: info.wantIds ?? false,
        oversize: info.oversize ?? null,
      })
      offset += body.length
    }
    this.#post({ type: 'append', buffer, requests: packRequests(requests) }, [buffer])
  }

  /** A buffer of at least `bytes`: one that came back from the writer, or a new one. */
  #takeBuffer(bytes: number): ArrayBuffer {
    const at = this.#spare.findIndex((b) => b.byteLength >= bytes)
    if (at >= 0) return this.#spare.splice(at, 1)[0]!
    if (this.#spare.length === MAX_SPARE) this.#spare.shift()
    return new ArrayBuffer(Math.max(bytes, MIN_SPARE_BYTES))
  }

  #receive(message: FromWriter): void {
    if (message.type === 'committed') {
      this.counters = message.counters
      this.totalBytes = message.totalBytes
      const active = {
        count: message.activeCount,
        bytes: message.activeBytes,
        minReceivedAtMs: message.activeMinReceivedAtMs,
        maxReceivedAtMs: message.activeMaxReceivedAtMs,
      }
      for (const [i, frames] of message.frames.entries())
        this.events.committed(Buffer.from(frames, 0, message.frameBytes[i]), message.firstSeq, message.lastSeq, active)
      unpackAnswers(message.answers, (id, status, body) => this.#settle(id)?.resolve({ status, body }))
      for (const buffer of message.spent)
        if (this.#spare.length < MAX_SPARE && buffer.byteLength <= MAX_SPARE_BYTES) this.#spare.push(buffer)
      for (const listener of this.#listeners) listener()
    } else if (message.type === 'segments') {
      this.events.update(message.events)
      this.quarantine.update(message.quarantine)
      this.totalBytes = message.totalBytes
    } else if (message.type === 'refused') {
      const error = new TrunklineError(message.code, message.message, message.hint)
      for (const id of message.ids) this.#settle(id)?.reject(error)
    } else if (message.type === 'ready') {
      this.events.update(message.events)
      this.quarantine.update(message.quarantine)
      this.recovery = message.recovery
      this.#ready.resolve(this)
    } else if (message.type === 'failed') this.#die(new TrunklineError(message.code, message.message, message.hint))
    else this.#closed?.()
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id)
    if (waiting === undefined) return undefined
    this.#waiting.delete(id)
    this.pendingBytes -= waiting.bytes
    return waiting
  }

  #die(error: Error): void {
    this.#closing = true
    for (const id of [...this.#waiting.keys()]) this.#settle(id)?.reject(error)
    this.#ready.reject(error)
    this.#closed?.()
    this.#options.onFatal(error)
  }

  #post(message: ToWriter, transfer: ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, transfer)
  }
}

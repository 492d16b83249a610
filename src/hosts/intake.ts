/**
 * POST /v1/events: reads a body within its bounds, hands it to the log, and answers what the log answers, after it is
 * on disk. Sits on node:http itself: one event a request is the hottest path there is.
 */
import { createHash, type Hash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { BodyInfo, Log } from '../log/log.ts'
import { TrunklineError } from '../errors.ts'
import { sendError } from './answer.ts'

export type IntakeOptions = {
  readonly log: Log
  readonly maxBodyBytes: number
  readonly nowMs: () => number
  /** Adds what an operator needs to know to an error of the log, e.g. which route holds it up. */
  readonly explain: (error: TrunklineError) => TrunklineError
  /** Told when the log refuses, at most once a minute: whoever sends sees each refusal, whoever runs the service only this. */
  readonly warn: (error: TrunklineError) => void
}

/** Bodies being received or written, all requests together: above it intake answers 503 rather than grow. */
const MAX_PENDING_BYTES = 64 * 1024 * 1024
const OVERSIZE_HEAD_BYTES = 4096
const WARN_EVERY_MS = 60_000
/** A body over the limit is read on for its hash up to this; a longer one is cut off. */
const OVERSIZE_READ_BYTES = 256 * 1024 * 1024

export class Intake {
  readonly #o: IntakeOptions
  #receivingBytes = 0
  #warnedAtMs = -Infinity
  stopping = false
  requests = 0
  refused = 0

  constructor(options: IntakeOptions) {
    this.#o = options
  }

  handle(request: IncomingMessage, response: ServerResponse, query: string): void {
    this.requests++
    if (this.stopping)
      return this.#refuse(
        request,
        response,
        new TrunklineError('intake.stopping', 'the service is stopping', 'Send it again; it is not stored.'),
      )
    const declared = Number(request.headers['content-length'] ?? 0)
    if (this.#receivingBytes + this.#o.log.pendingBytes + Math.min(declared, this.#o.maxBodyBytes) > MAX_PENDING_BYTES)
      return this.#refuse(
        request,
        response,
        new TrunklineError('intake.busy', 'more bodies are under way than fit in memory', 'Send it again in a moment.'),
      )
    const body = new Body(this.#o.maxBodyBytes, declared)
    let counted = 0
    const count = (bytes: number): void => {
      counted += bytes
      this.#receivingBytes += bytes
    }
    request.on('data', (chunk: Buffer) => {
      const kept = body.add(chunk)
      count(kept)
      if (body.totalBytes > OVERSIZE_READ_BYTES) {
        request.removeAllListeners('data')
        this.#finish(request, response, body, query)
        release()
        request.resume()
      } else if (this.#receivingBytes > MAX_PENDING_BYTES * 2) {
        request.removeAllListeners('data')
        // The end of what is still to come must not be taken for the end of a whole body.
        body.finished = true
        release()
        this.#refuse(
          request,
          response,
          new TrunklineError('intake.busy', 'more bodies are under way than fit in memory', 'Send it again in a moment.'),
        )
      }
    })
    request.on('end', () => this.#finish(request, response, body, query))
    // A request that is answered before its body has come never closes: whoever answers it early calls this too.
    const release = (): void => {
      this.#receivingBytes -= counted
      counted = 0
    }
    request.on('close', release)
  }

  #finish(request: IncomingMessage, response: ServerResponse, body: Body, query: string): void {
    if (body.finished) return
    body.finished = true
    const info: BodyInfo = {
      kind: /ndjson/i.test(request.headers['content-type'] ?? '') ? 'ndjson' : 'auto',
      gzip: /gzip/i.test(request.headers['content-encoding'] ?? ''),
      via: 'http',
      receivedAtMs: this.#o.nowMs(),
      wantIds: query.length > 0 && new URLSearchParams(query).get('ids') === '1',
      ...(body.oversize ? { oversize: { sizeBytes: body.totalBytes, sha256: body.sha256() } } : {}),
    }
    this.#o.log.append(body.bytes(), info).then(
      (answer) => {
        if (response.headersSent || response.destroyed) return
        response.writeHead(answer.status, {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(answer.body),
          ...(body.oversize ? { connection: 'close' } : {}),
        })
        response.end(answer.body)
      },
      (error: unknown) => {
        this.#report(error as TrunklineError)
        this.#refuse(request, response, error as TrunklineError)
      },
    )
  }

  #report(error: TrunklineError): void {
    const nowMs = this.#o.nowMs()
    if (error.code === 'log.closing' || Math.abs(nowMs - this.#warnedAtMs) < WARN_EVERY_MS) return
    this.#warnedAtMs = nowMs
    this.#o.warn(this.#o.explain(error))
  }

  #refuse(request: IncomingMessage, response: ServerResponse, error: TrunklineError): void {
    this.refused++
    if (response.headersSent || response.destroyed) return
    const told = this.#o.explain(error)
    sendError(response, 503, told, { 'retry-after': '1', ...(request.complete ? {} : { connection: 'close' }) })
    request.resume()
  }
}

/** Collects a body up to its limit; beyond it, only the head, the size and the hash. */
class Body {
  readonly #maxBytes: number
  readonly #declaredBytes: number
  #bytes: Buffer = EMPTY
  #length = 0
  #hash: Hash | null = null
  totalBytes = 0
  finished = false

  constructor(maxBytes: number, declaredBytes: number) {
    this.#maxBytes = maxBytes
    this.#declaredBytes = declaredBytes
  }

  get oversize(): boolean {
    return this.totalBytes > this.#maxBytes
  }

  /** Answers how many bytes of memory it added (negative when it let go of some). */
  add(chunk: Buffer): number {
    this.totalBytes += chunk.length
    if (this.#hash !== null) {
      this.#hash.update(chunk)
      return 0
    }
    const before = this.#length
    if (this.oversize) {
      this.#hash = createHash('sha256').update(this.#bytes.subarray(0, before)).update(chunk)
      this.#bytes = Buffer.concat([this.#bytes.subarray(0, before), chunk]).subarray(0, OVERSIZE_HEAD_BYTES)
      this.#length = this.#bytes.length
    } else if (before === 0 && chunk.length === this.#declaredBytes) {
      // The usual small body: one chunk, no copy.
      this.#bytes = chunk
      this.#length = chunk.length
    } else this.#append(chunk)
    return this.#length - before
  }

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  sha256(): string {
    return this.#hash?.digest('hex') ?? ''
  }

  #append(chunk: Buffer): void {
    const needed = this.#length + chunk.length
    if (needed > this.#bytes.length) {
      // What a client declares is believed only as far as it delivers: memory grows with what has come.
      const expected = Math.min(this.#declaredBytes || Infinity, Math.max(FIRST_BODY_BYTES, this.#bytes.length * 2), this.#maxBytes)
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, expected))
      this.#bytes.copy(grown, 0, 0, this.#length)
      this.#bytes = grown
    }
    chunk.copy(this.#bytes, this.#length)
    this.#length = needed
  }
}

const EMPTY = Buffer.alloc(0)
const FIRST_BODY_BYTES = 256 * 1024

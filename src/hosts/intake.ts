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
}

/** Bodies being received or written, all requests together: above it intake answers 503 rather than grow. */
const MAX_PENDING_BYTES = 64 * 1024 * 1024
const OVERSIZE_HEAD_BYTES = 4096
/** A body over the limit is read on for its hash up to this; a longer one is cut off. */
const OVERSIZE_READ_BYTES = 256 * 1024 * 1024

export class Intake {
  readonly #o: IntakeOptions
  #receivingBytes = 0
  stopping = false
  requests = 0
  refused = 0

  constructor(options: IntakeOptions) {
    this.#o = options
  }

  handle(request: IncomingMessage, response: ServerResponse, query: string): void {
    this.requests++
    if (this.stopping) return this.#refuse(request, response, new TrunklineError('intake.stopping', 'the service is stopping', 'Send it again; it is not stored.'))
    const declared = Number(request.headers['content-length'] ?? 0)
    if (this.#receivingBytes + this.#o.log.pendingBytes + Math.min(declared, this.#o.maxBodyBytes) > MAX_PENDING_BYTES)
      return this.#refuse(request, response, new TrunklineError('intake.busy', 'more bodies are under way than fit in memory', 'Send it again in a moment.'))
    const body = new Body(this.#o.maxBodyBytes)
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
        request.resume()
      } else if (this.#receivingBytes > MAX_PENDING_BYTES * 2) {
        request.removeAllListeners('data')
        this.#refuse(request, response, new TrunklineError('intake.busy', 'more bodies are under way than fit in memory', 'Send it again in a moment.'))
      }
    })
    request.on('end', () => this.#finish(request, response, body, query))
    request.on('close', () => {
      this.#receivingBytes -= counted
      counted = 0
    })
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
      (error: unknown) => this.#refuse(request, response, error as TrunklineError),
    )
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
  #chunks: Buffer[] = []
  #hash: Hash | null = null
  totalBytes = 0
  finished = false

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
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
    this.#chunks.push(chunk)
    if (!this.oversize) return chunk.length
    const before = this.totalBytes - chunk.length
    const hash = createHash('sha256')
    for (const c of this.#chunks) hash.update(c)
    this.#hash = hash
    this.#chunks = [Buffer.from(Buffer.concat(this.#chunks).subarray(0, OVERSIZE_HEAD_BYTES))]
    return OVERSIZE_HEAD_BYTES - before
  }

  bytes(): Uint8Array {
    return this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks)
  }

  sha256(): string {
    return this.#hash?.digest('hex') ?? ''
  }
}

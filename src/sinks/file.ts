import type { Event } from '../event/event.ts'
import type { Clock } from '../pipeline/clock.ts'
import { dead, hold, KEEP, retry, type Outcome } from '../pipeline/outcome.ts'
import { FileTail } from './file-tail.ts'
import type { Sink } from './sink.ts'

/*
 * NDJSON files: one event, one line. `keep` means synced to disk. A batch that fails leaves nothing behind, so with
 * the position committed beside the route's progress every event is in the files exactly once, whole lines only.
 *
 * A disk that refuses (full, read-only, no rights, too many open files) is no attempt: the sink answers `hold` for a
 * second at a time and goes on by itself when the disk does. It refuses documents that are no single line.
 *
 * `position()` answers as soon as `open` has: a host that commits it before the first `deliver` also knows, after a
 * crash inside the very first batch, which file is its own.
 */

/** Where and how to write. */
export type FileSinkOptions = {
  /** Made with mode 0700 when absent; files have mode 0600. */
  readonly dir: string
  /** Stem of the file names: `<name>-000001.ndjson`. Must be the sink's alone in `dir`. */
  readonly name: string
  /** A file ends before it grows past this; only a document that is bigger by itself stands alone in a bigger file. */
  readonly maxFileBytes?: number
  /** One JSON line without its newline (`toDocument`). */
  readonly document: (event: Event) => Uint8Array
  readonly clock: Clock
  /** Told, in words, when files were moved or cut by somebody, and when the disk fails or works again. */
  readonly warn: (message: string) => void
}

const NEWLINE = 10
const RECHECK_MS = 1000
/** One write takes at most this much; also the most memory a sink keeps between batches. */
const CHUNK_BYTES = 2 * 1024 * 1024
const DEFAULT_MAX_FILE_BYTES = 128 * 1024 * 1024

/** A sink that appends to numbered NDJSON files. */
export function fileSink(options: FileSinkOptions): Sink {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(options.name)) {
    throw Object.assign(new Error(`file sink: '${options.name}' cannot be a file name`), {
      code: 'sink.file_name',
      hint: 'use letters, digits, dot, dash and underscore',
    })
  }
  return new FileSink(options)
}

class FileSink implements Sink {
  readonly kind = 'file'
  readonly maxBatch = 4096
  readonly concurrency = 1
  readonly #options: FileSinkOptions
  readonly #tail: FileTail
  readonly #maxFileBytes: number
  #state: 'new' | 'open' | 'closed' = 'new'
  #down = false
  /** The last call; `close` waits for it. */
  #last: Promise<unknown> = Promise.resolve()
  /** Reused by every batch: at most one is under way. */
  #buffer: Buffer = Buffer.alloc(0)
  #used = 0

  constructor(options: FileSinkOptions) {
    this.#options = options
    this.#maxFileBytes = options.maxFileBytes ?? DEFAULT_MAX_FILE_BYTES
    this.#tail = new FileTail({ dir: options.dir, name: options.name, warn: options.warn })
  }

  async open(position: string | null): Promise<void> {
    try {
      await this.#tail.restore(position)
    } catch (error) {
      throw Object.assign(new Error(`file sink: cannot work in ${this.#options.dir}: ${messageOf(error)}`), {
        code: 'sink.file_open',
        hint: 'make the directory writable for this user, or set another one',
        cause: error,
      })
    }
    this.#state = 'open'
  }

  async deliver(events: readonly Event[], signal: AbortSignal): Promise<readonly Outcome[]> {
    if (this.#state === 'new') throw new Error('file sink: deliver before open')
    if (this.#state === 'closed' || signal.aborted) return events.map(() => retry('sink.stopped'))
    const work = this.#last.then(() => this.#write(events))
    this.#last = work
    return work
  }

  position(): string | null {
    return this.#state === 'new' ? null : this.#tail.position()
  }

  async close(): Promise<void> {
    this.#state = 'closed'
    await this.#last
    await this.#tail.close()
    this.#buffer = Buffer.alloc(0)
  }

  /** Never rejects: what could not be written is held. */
  async #write(events: readonly Event[]): Promise<readonly Outcome[]> {
    const outcomes: (Outcome | undefined)[] = Array.from({ length: events.length })
    /** Indexes of the lines written but not yet synced. */
    let unsynced: number[] = []
    const settle = async (): Promise<void> => {
      await this.#flush()
      await this.#tail.sync()
      for (const index of unsynced) outcomes[index] = KEEP
      unsynced = []
    }
    try {
      await this.#tail.ready()
      for (const [index, event] of events.entries()) {
        const line = this.#line(event)
        if (!(line instanceof Uint8Array)) {
          outcomes[index] = line
          continue
        }
        const end = this.#tail.endBytes + this.#used
        if (end > 0 && end + line.length + 1 > this.#maxFileBytes) {
          await settle()
          await this.#tail.rotate()
          await this.#tail.ready()
        }
        if (!this.#fits(line.length + 1)) await this.#flush()
        this.#put(line)
        unsynced.push(index)
      }
      await settle()
      this.#report(null)
    } catch (error) {
      await this.#tail.undo()
      this.#report(error)
    }
    this.#used = 0
    if (this.#buffer.length > CHUNK_BYTES) this.#buffer = Buffer.alloc(0)
    const held = hold('sink.file_unavailable', this.#options.clock.nowMs() + RECHECK_MS)
    return outcomes.map((outcome) => outcome ?? held)
  }

  #line(event: Event): Uint8Array | Outcome {
    try {
      const line = this.#options.document(event)
      // Buffer's search is memchr; a typed array's own is many times slower.
      if (!Buffer.prototype.includes.call(line, NEWLINE)) return line
      return dead('sink.document_failed', 'the document is more than one line')
    } catch (error) {
      return dead('sink.document_failed', error instanceof Error ? error.name : null)
    }
  }

  #fits(bytes: number): boolean {
    return this.#used + bytes <= Math.max(this.#buffer.length, CHUNK_BYTES)
  }

  #put(line: Uint8Array): void {
    const end = this.#used + line.length
    if (end >= this.#buffer.length) {
      const bigger = Buffer.allocUnsafeSlow(Math.max(end + 1, Math.min(CHUNK_BYTES, 2 * end)))
      bigger.set(this.#buffer.subarray(0, this.#used))
      this.#buffer = bigger
    }
    this.#buffer.set(line, this.#used)
    this.#buffer[end] = NEWLINE
    this.#used = end + 1
  }

  async #flush(): Promise<void> {
    const bytes = this.#buffer.subarray(0, this.#used)
    this.#used = 0
    if (bytes.length > 0) await this.#tail.append(bytes)
  }

  /** Says once that the disk fails, with the reason a hold cannot carry, and once that it works again. */
  #report(error: unknown): void {
    const down = error !== null
    if (down === this.#down) return
    this.#down = down
    const { dir, warn } = this.#options
    warn(down ? `cannot write in ${dir}: ${messageOf(error)}; holding events until it works` : `writing in ${dir} works again`)
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

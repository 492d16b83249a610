/** A log on real files in the test's own thread: the rooms of writer-thread.ts, put together the same way. */
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { EventLog, type RefusedGroup } from './event-log.ts'
import { frameHead } from './frame.ts'
import { KnownKeys } from './known-keys.ts'
import type { AppendAnswer, AppendRequest, SegmentsView } from './messages.ts'
import { LogReader } from './reader.ts'
import { scanSegment } from './scan.ts'
import { SegmentWriter, type SegmentWriterOptions } from './segment-writer.ts'

export const LOG_ID: string = 'k3v9qa7m'
export const MAX_BODY_BYTES: number = 1024 * 1024

/** The answer to a body as the HTTP interface gives it. */
export type Answered = {
  readonly status: number
  readonly accepted: number
  readonly quarantined: number
  readonly ids?: readonly (string | null | readonly string[])[]
  readonly errors: readonly { readonly index: number; readonly code: string; readonly quarantineId: string }[]
}

export type TestLogOptions = Partial<Omit<SegmentWriterOptions, 'dir' | 'atCap'>> & {
  readonly windowMs?: number | null
  readonly quarantineBytes?: number
  readonly quarantineSegmentBytes?: number
}

/** A folder that goes with the test. */
export function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'trunkline-log-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

export function writerOptions(dir: string, options: TestLogOptions = {}): SegmentWriterOptions {
  return {
    dir,
    segmentBytes: options.segmentBytes ?? 64 * 1024 * 1024,
    maxBytes: options.maxBytes ?? 1e9,
    maxAgeMs: options.maxAgeMs ?? 1e9,
    minFreeBytes: options.minFreeBytes ?? 0,
    atCap: 'refuse',
    nowMs: options.nowMs ?? (() => 0),
  }
}

export class TestLog {
  readonly dir: string
  readonly events: SegmentWriter
  readonly quarantine: SegmentWriter
  readonly keys: KnownKeys
  readonly log: EventLog
  readonly reader: LogReader = new LogReader(LOG_ID)
  readonly quarantined: LogReader = new LogReader(LOG_ID)
  nowMs = 1_774_000_000_000
  readonly #waiting = new Map<number, { resolve: (answer: Answered) => void; reject: (error: unknown) => void }>()
  #nextId = 1
  #open = true

  constructor(dir: string, options: TestLogOptions = {}) {
    this.dir = dir
    const common = writerOptions(join(dir, 'log'), options)
    this.events = new SegmentWriter(common)
    this.quarantine = new SegmentWriter({
      ...common,
      dir: join(dir, 'quarantine'),
      maxBytes: options.quarantineBytes ?? 1e9,
      segmentBytes: options.quarantineSegmentBytes ?? 16 * 1024 * 1024,
      atCap: 'evict',
    })
    this.quarantine.release(Infinity)
    mkdirSync(join(dir, 'keys'), { recursive: true })
    this.keys = new KnownKeys({
      dir: join(dir, 'keys'),
      events: this.events,
      windowMs: options.windowMs ?? null,
      replay: (from, each) => replay(this.events, from, each),
    })
    this.log = new EventLog({
      logId: LOG_ID,
      events: this.events,
      quarantine: this.quarantine,
      keys: this.keys,
      decode: { maxBytes: MAX_BODY_BYTES },
      maxBodyBytes: MAX_BODY_BYTES,
      onCommitted: (group) => {
        this.refresh()
        this.#answer(group.answers)
      },
      onRefused: (group) => this.#refuse(group),
    })
    this.refresh()
  }

  /** Brings the readers to what is committed, as the writer's messages do. */
  refresh(): void {
    this.reader.update(view(this.events))
    this.quarantined.update(view(this.quarantine))
  }

  /** Appends one body; rejects with what refused it. */
  append(body: string | Uint8Array, how: Partial<AppendRequest> = {}): Promise<Answered> {
    return this.appendAll([{ body, how }])[0] as Promise<Answered>
  }

  /** Appends bodies that arrive together. */
  appendAll(bodies: readonly { readonly body: string | Uint8Array; readonly how?: Partial<AppendRequest> }[]): Promise<Answered>[] {
    const parts = bodies.map(({ body }) => Buffer.from(body))
    let offset = 0
    const answers: Promise<Answered>[] = []
    const requests = bodies.map(({ how }, i): AppendRequest => {
      const length = parts[i]?.length ?? 0
      const id = this.#nextId++
      answers.push(new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject })))
      offset += length
      return {
        id,
        offset: offset - length,
        length,
        kind: 'auto',
        gzip: false,
        via: 'test',
        receivedAtMs: this.nowMs,
        wantIds: false,
        oversize: null,
        ...how,
      }
    })
    this.log.append(Buffer.concat(parts), requests)
    return answers
  }

  async close(): Promise<void> {
    if (!this.#open) return
    this.#open = false
    await this.log.drained()
    this.keys.close()
    this.events.close()
    this.quarantine.close()
  }

  #answer(answers: readonly AppendAnswer[]): void {
    for (const { id, status, body } of answers) {
      this.#waiting.get(id)?.resolve({ status, ...(JSON.parse(body) as Omit<Answered, 'status'>) })
      this.#waiting.delete(id)
    }
  }

  #refuse({ ids, error }: RefusedGroup): void {
    for (const id of ids) {
      this.#waiting.get(id)?.reject(error)
      this.#waiting.delete(id)
    }
  }
}

/** A log that is closed with its test. */
export function testLog(t: TestContext, options: TestLogOptions = {}, dir: string = folder(t)): TestLog {
  const log = new TestLog(dir, options)
  t.after(() => log.close())
  return log
}

export const segmentFiles = (dir: string, end = '.log'): string[] =>
  readdirSync(dir)
    .filter((name) => name.endsWith(end))
    .toSorted()
    .map((name) => join(dir, name))

/** Flips a bit of one byte. */
export function damage(path: string, offset: number): void {
  const bytes = readFileSync(path)
  bytes[offset] = (bytes[offset] ?? 0) ^ 0x40
  writeFileSync(path, bytes)
}

export function view(writer: SegmentWriter): SegmentsView {
  return { sealed: [...writer.sealed], active: writer.active, nextSeq: writer.nextSeq }
}

function replay(events: SegmentWriter, fromSeq: number, each: (frames: Buffer, at: number) => void): void {
  for (const segment of [...events.sealed, ...(events.active === null ? [] : [events.active])])
    scanSegment(segment.path, segment.firstSeq, segment.firstSeq + segment.count, (frames, at) => {
      if (frameHead(frames, at).seq >= fromSeq) each(frames, at)
    })
}

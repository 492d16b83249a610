/**
 * The log's writer, off the event loop: the only code that writes the log, its quarantine and the known keys.
 * Talks to the main thread in the messages of messages.ts.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { step } from '../diagnostics/step.ts'
import { type CommittedGroup, EventLog, type RefusedGroup } from './event-log.ts'
import { frameHead } from './frame.ts'
import { KnownKeys } from './known-keys.ts'
import type { FromWriter, SegmentsView, ToWriter } from './messages.ts'
import { scanSegment } from './scan.ts'
import { SegmentWriter } from './segment-writer.ts'
import { packAnswers, unpackRequests } from './wire.ts'

/** Everything the writer needs to know; sizes in bytes, times in ms. */
export type WriterData = {
  readonly dataDir: string
  readonly logId: string
  readonly segmentBytes: number
  readonly maxBytes: number
  readonly maxAgeMs: number
  readonly minFreeBytes: number
  readonly quarantineMaxBytes: number
  readonly dedupeWindowMs: number | null
  /** Cap of a request body, also after unpacking. */
  readonly maxBodyBytes: number
  readonly orgId: string | null
  readonly keysInMemory?: number
  /** See SegmentWriterOptions. */
  readonly minNextSeq?: number
}

const QUARANTINE_SEGMENT_BYTES = 16 * 1024 * 1024
const MERGE_SLICE_MS = 4
/**
 * One record, unwrapped: no shape we know is larger (an SQS batch for Lambda has at most 6 MB, an event 1 MB), and
 * parsing costs several times its size in memory.
 */
const MAX_RECORD_BYTES = 6 * 1024 * 1024

const port = parentPort
if (port !== null) run(workerData as WriterData, (message, transfer) => port.postMessage(message, transfer ?? []))

function run(data: WriterData, post: (message: FromWriter, transfer?: ArrayBuffer[]) => void): void {
  const startedAtMs = performance.now()
  const nowMs = (): number => Date.now()
  const events = new SegmentWriter({
    dir: join(data.dataDir, 'log'),
    segmentBytes: data.segmentBytes,
    maxBytes: data.maxBytes,
    maxAgeMs: data.maxAgeMs,
    minFreeBytes: data.minFreeBytes,
    atCap: 'refuse',
    minNextSeq: data.minNextSeq ?? 1,
    nowMs,
  })
  const quarantine = new SegmentWriter({
    dir: join(data.dataDir, 'quarantine'),
    segmentBytes: Math.min(QUARANTINE_SEGMENT_BYTES, Math.ceil(data.quarantineMaxBytes / 8)),
    maxBytes: data.quarantineMaxBytes,
    maxAgeMs: data.maxAgeMs,
    minFreeBytes: data.minFreeBytes,
    atCap: 'evict',
    nowMs,
  })
  quarantine.release(Infinity)
  const keysDir = join(data.dataDir, 'keys')
  mkdirSync(keysDir, { recursive: true, mode: 0o700 })
  const keys = new KnownKeys({
    dir: keysDir,
    events,
    windowMs: data.dedupeWindowMs,
    memoryKeys: data.keysInMemory,
    replay: (from, each) => replay(events, from, each),
  })

  /** Request buffers that have been read, to go back with the next answer. */
  let spent: ArrayBuffer[] = []
  let sealed = -1
  let activeFirstSeq = -1
  let quarantineSeq = -1
  let mergeTimer: NodeJS.Immediate | null = null
  const log = new EventLog({
    logId: data.logId,
    events,
    quarantine,
    keys,
    maxBodyBytes: data.maxBodyBytes,
    decode: { maxBytes: Math.min(MAX_RECORD_BYTES, data.maxBodyBytes), ...(data.orgId === null ? {} : { orgId: data.orgId }) },
    onCommitted,
    onRefused,
  })

  function onCommitted(group: CommittedGroup): void {
    const active = events.active
    const moved = events.sealed.length !== sealed || (active?.firstSeq ?? -1) !== activeFirstSeq
    if (moved || quarantine.nextSeq !== quarantineSeq) sendSegments()
    const frames = group.frames.map((b) => b.buffer as ArrayBuffer)
    const buffers = spent
    spent = []
    const frameBytes = group.frames.map((b) => b.length)
    step('intake.before_answer')
    post(
      {
        type: 'committed',
        answers: packAnswers(group.answers),
        frames,
        frameBytes,
        firstSeq: group.firstSeq,
        lastSeq: group.lastSeq,
        activeCount: active?.count ?? 0,
        activeBytes: active?.bytes ?? 0,
        activeMinReceivedAtMs: active?.minReceivedAtMs ?? Infinity,
        activeMaxReceivedAtMs: active?.maxReceivedAtMs ?? 0,
        counters: { ...log.counters, quarantineDropped: quarantine.goneRecords },
        totalBytes: events.totalBytes,
        spent: buffers,
      },
      [...frames, ...buffers],
    )
    mergeLater()
  }

  function onRefused(group: RefusedGroup): void {
    post({ type: 'refused', ids: group.ids, ...explain(group.error) })
  }

  function sendSegments(): void {
    sealed = events.sealed.length
    activeFirstSeq = events.active?.firstSeq ?? -1
    quarantineSeq = quarantine.nextSeq
    post({ type: 'segments', events: view(events), quarantine: view(quarantine), totalBytes: events.totalBytes })
  }

  function mergeLater(): void {
    mergeTimer ??= setImmediate(() => {
      mergeTimer = null
      if (keys.tidy(MERGE_SLICE_MS, () => performance.now())) mergeLater()
    })
  }

  function retain(): void {
    events.retain()
    quarantine.retain()
    // Also what made room for new records since: a key must not keep the file of a deleted record open.
    keys.dropBefore(events.firstSeq)
    sendSegments()
  }

  parentPort?.on('message', (message: ToWriter) => {
    if (message.type === 'append') {
      log.append(Buffer.from(message.buffer), unpackRequests(message.requests))
      spent.push(message.buffer)
    } else if (message.type === 'release') {
      events.release(message.seq)
      void log.drained().then(retain)
    } else
      void log.drained().then(() => {
        keys.close()
        events.close()
        quarantine.close()
        post({ type: 'closed' })
        parentPort?.close()
      })
  })

  const { recovery } = events
  sealed = events.sealed.length
  activeFirstSeq = events.active?.firstSeq ?? -1
  quarantineSeq = quarantine.nextSeq
  post({
    type: 'ready',
    logId: data.logId,
    events: view(events),
    quarantine: view(quarantine),
    recovery: {
      tornBytes: recovery.tornBytes,
      damagedRecords: recovery.damage.reduce((n, d) => n + d.records, 0),
      damagedBytes: recovery.damage.reduce((n, d) => n + d.bytes, 0),
      tookMs: performance.now() - startedAtMs,
    },
  })
}

function replay(events: SegmentWriter, fromSeq: number, each: (frames: Buffer, at: number) => void): void {
  const all = [...events.sealed, ...(events.active === null ? [] : [events.active])]
  for (const [i, segment] of all.entries()) {
    if (segment.firstSeq + segment.count <= fromSeq) continue
    scanSegment(segment.path, segment.firstSeq, all[i + 1]?.firstSeq ?? Infinity, (frames, at) => {
      const { seq } = frameHead(frames, at)
      // What is written but not committed is not in the log yet.
      if (seq >= fromSeq && seq < events.nextSeq) each(frames, at)
    })
  }
}

function view(writer: SegmentWriter): SegmentsView {
  return { sealed: [...writer.sealed], active: writer.active, nextSeq: writer.nextSeq }
}

function explain(error: unknown): { code: string; message: string; hint: string } {
  const { code, message, hint } = error as NodeJS.ErrnoException & { readonly hint?: string }
  if (code !== undefined && hint !== undefined) return { code, message, hint }
  const full = code === 'ENOSPC' || code === 'EDQUOT'
  return {
    code: full ? 'log.disk_full' : 'log.write_failed',
    message: `the log could not be written: ${message}`,
    hint: full
      ? 'Free space on the disk; intake goes on by itself.'
      : 'Look at the disk and the data directory; intake tries again with the next request.',
  }
}

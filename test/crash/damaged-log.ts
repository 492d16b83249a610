/** A small log made by the real writer, held in memory, to be put on disk again and again with something broken in it. */
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { frameHead, frameKey, frameRaw } from '../../src/log/frame.ts'
import { KnownKeys } from '../../src/log/known-keys.ts'
import { Log, type LogOptions } from '../../src/log/log.ts'
import { LogReader } from '../../src/log/reader.ts'
import { scanSegment } from '../../src/log/scan.ts'
import { listSegments } from '../../src/log/segment-file.ts'
import { SegmentWriter } from '../../src/log/segment-writer.ts'

export type Frame = {
  readonly seq: number
  readonly file: string
  readonly from: number
  readonly to: number
  readonly raw: Buffer
  readonly key: Buffer
}

export type Sample = {
  /** Contents of every file, by path below the data directory (`log/...`, `keys/...`). */
  readonly files: ReadonlyMap<string, Buffer>
  readonly frames: readonly Frame[]
}

const LOG_ID = 'testtest'
const EVENTS = 30

export const writerData = (dataDir: string): Omit<LogOptions, 'onFatal'> => ({
  dataDir,
  logId: LOG_ID,
  segmentBytes: 6 * 1024,
  maxBytes: 2 ** 40,
  maxAgeMs: 2 ** 40,
  minFreeBytes: 0,
  quarantineMaxBytes: 2 ** 20,
  dedupeWindowMs: null,
  maxBodyBytes: 2 ** 20,
  orgId: null,
})

export const bodyOf = (number: number): Buffer =>
  Buffer.from(
    JSON.stringify({
      id: `e${number}`,
      'detail-type': 'v2.detail.events.conversation.{id}.acd.end',
      source: 'aws.partner/genesys.com/cloud/o/s',
      detail: {
        topicName: `v2.detail.events.conversation.c${number % 3}.acd.end`,
        eventBody: { eventTime: 1_765_551_865_000 + number, conversationId: `c${number % 3}` },
      },
    }),
  )

export async function append(log: Log, number: number): Promise<{ accepted: number; ids: string[] }> {
  const { body } = await log.append(bodyOf(number), { kind: 'json', gzip: false, via: 'test', receivedAtMs: 1_765_551_900_000 + number })
  return JSON.parse(body) as { accepted: number; ids: string[] }
}

/** Writes the log through the real writer thread, closes it, and takes it into memory. */
export async function makeSample(): Promise<Sample> {
  const dir = mkdtempSync(join(tmpdir(), 'trunkline-sample-'))
  const failed = (error: Error): never => {
    throw error
  }
  const log = await Log.open({ ...writerData(dir), onFatal: failed })
  for (let number = 1; number <= EVENTS; number++) await append(log, number)
  await log.close()
  const files = new Map<string, Buffer>()
  for (const room of ['log', 'keys'])
    for (const name of readdirSync(join(dir, room))) files.set(`${room}/${name}`, readFileSync(join(dir, room, name)))
  const frames: Frame[] = []
  for (const path of listSegments(join(dir, 'log')))
    scanSegment(path, frames.length + 1, Infinity, (b, at, from) => {
      const { seq, length } = frameHead(b, at)
      const file = `log/${path.slice(path.lastIndexOf('/') + 1)}`
      frames.push({ seq, file, from, to: from + length, raw: Buffer.from(frameRaw(b, at)), key: Buffer.from(frameKey(b, at) ?? []) })
    })
  rmSync(dir, { recursive: true })
  return { files, frames }
}

/** Puts the sample into `dir` with `changed` in place of a file; null leaves the file out. */
export function place(sample: Sample, dir: string, file: string, changed: Buffer | null): void {
  rmSync(dir, { recursive: true, force: true })
  for (const room of ['log', 'keys']) mkdirSync(join(dir, room), { recursive: true })
  for (const [name, bytes] of sample.files) {
    const content = name === file ? changed : bytes
    if (content !== null) writeFileSync(join(dir, name), content)
  }
}

export type Opened = {
  readonly read: ReadonlyMap<number, Buffer>
  /** Seqs the reader reported as damaged. */
  readonly damaged: readonly number[]
  readonly nextSeq: number
  readonly tornBytes: number
  readonly damagedRecords: number
  /** What the known keys answer for each frame of the sample. */
  readonly known: readonly number[]
}

/** Opens what is in `dir` as the service does, and reads everything, in steps of `chunkBytes`. */
export async function openAll(
  sample: Sample,
  dir: string,
  options: { readonly chunkBytes: number; readonly minNextSeq?: number; readonly keys?: boolean },
): Promise<Opened> {
  const writer = openWriter(dir, options.minNextSeq)
  const reader = new LogReader(LOG_ID)
  reader.update({ sealed: [...writer.sealed], active: writer.active, nextSeq: writer.nextSeq })
  const read = new Map<number, Buffer>()
  const damaged: number[] = []
  for (let seq = 1, steps = 0; seq < reader.nextSeq; steps++) {
    const result = await reader.read(seq, options.chunkBytes)
    if (result.nextSeq <= seq || steps > sample.frames.length * 2) throw new Error(`reading stands still at ${seq}`)
    for (const record of result.records) read.set(record.seq, Buffer.from(frameRaw(record.buffer, record.at)))
    damaged.push(...result.damaged)
    seq = result.nextSeq
  }
  const known = options.keys === true ? knownIn(sample, dir, writer) : []
  const { tornBytes, damage } = writer.recovery
  writer.close()
  return { read, damaged, nextSeq: reader.nextSeq, tornBytes, damagedRecords: damage.reduce((n, d) => n + d.records, 0), known }
}

export function openWriter(dir: string, minNextSeq: number = 1): SegmentWriter {
  return new SegmentWriter({
    dir: join(dir, 'log'),
    segmentBytes: 6 * 1024,
    maxBytes: 2 ** 40,
    maxAgeMs: 2 ** 40,
    minFreeBytes: 0,
    atCap: 'refuse',
    minNextSeq,
    nowMs: () => 1_765_552_000_000,
  })
}

function knownIn(sample: Sample, dir: string, events: SegmentWriter): number[] {
  const keys = openKeys(dir, events)
  const known = sample.frames.map((frame) => keys.firstOf(frame.key, 0))
  keys.close()
  return known
}

export function openKeys(dir: string, events: SegmentWriter): KnownKeys {
  return new KnownKeys({
    dir: join(dir, 'keys'),
    events,
    windowMs: null,
    replay: (fromSeq, each) => {
      for (const segment of [...events.sealed, ...(events.active === null ? [] : [events.active])])
        scanSegment(segment.path, segment.firstSeq, segment.firstSeq + segment.count, (b, at) => {
          if (frameHead(b, at).seq >= fromSeq) each(b, at)
        })
    },
  })
}

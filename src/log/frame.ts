/**
 * One record of the log, as bytes. Every frame carries a magic word, its own length and a checksum over all that
 * follows, so that a torn tail can be cut, a damaged record skipped and the next good one found again.
 *
 *   0 u32 magic "TRL1"      4 u32 length of the whole frame      8 u32 crc32 of bytes 12..length
 *  12 u8 kind   13 u8 flags   14 u16 zero                       16 f64 seq
 *  24 f64 receivedAtMs      32 f64 seq of the first receipt (-1: this is the first)
 *  40 16 bytes identity key 56 16 bytes envelope key            72 u32 length of meta   76 u32 zero
 *  80 meta (JSON), then the raw bytes
 *
 * Little-endian. The decoded facts an event needs for routing are in meta, so that a route which only matches on
 * topics and copies bytes never parses the event again.
 */
import { crc32 } from 'node:zlib'
import type { DecodedEvent, Entity, EventFormat, Layer, Mark, TargetFailure } from '../event/event.ts'

export const FRAME_MAGIC = 0x314c5254
export const FRAME_HEADER_BYTES = 80
/** No frame is longer: a length field above it is damage, not data. Raw bytes are capped far below by intake. */
export const MAX_FRAME_BYTES: number = 1 << 28

const FLAG_HAS_KEY = 1
const FLAG_SEMANTIC = 2
const FLAG_HAS_ENVELOPE_KEY = 4

/** What a frame holds beside the raw bytes. Kind 1: an accepted event. Kind 2: quarantined bytes. */
export const KIND_EVENT = 1
export const KIND_QUARANTINE = 2

/** How the record came in, e.g. `http`, `simulator`. Kept for the receipt in an event's history. */
export type EventMeta = readonly [
  format: EventFormat,
  layers: readonly Layer[],
  source: string,
  orgId: string | null,
  envelopeId: string | null,
  topic: string,
  topicName: string,
  params: readonly string[],
  entity: Entity | null,
  conversationId: string | null,
  queueId: string | null,
  userId: string | null,
  occurredAtMs: number | null,
  publishedAtMs: number | null,
  marks: readonly Mark[],
  failure: TargetFailure | null,
  via: string,
]

/** `index`: place of the record in the request. `sizeBytes`, `sha256`: of the whole record, when only its head was kept. */
export type QuarantineMeta = {
  readonly code: string
  readonly message: string
  readonly via: string
  readonly index: number
  readonly sizeBytes: number
  readonly sha256: string | null
}

export type FrameHead = {
  readonly kind: number
  readonly seq: number
  readonly receivedAtMs: number
  readonly firstSeq: number
  readonly length: number
}

export function eventMeta(event: DecodedEvent, via: string): EventMeta {
  return [
    event.format,
    event.layers,
    event.source,
    event.orgId,
    event.envelopeId,
    event.topic,
    event.topicName,
    event.params,
    event.entity,
    event.conversationId,
    event.queueId,
    event.userId,
    event.occurredAtMs,
    event.publishedAtMs,
    event.marks,
    event.failure,
    via,
  ]
}

/** Appends frames to one growing buffer; the buffer of a finished group is handed on whole, never copied again. */
export class FrameBuilder {
  #buffer: Buffer
  #length = 0

  constructor(capacityBytes: number = 64 * 1024) {
    this.#buffer = Buffer.from(new ArrayBuffer(capacityBytes))
  }

  get length(): number {
    return this.#length
  }

  /** Adds a frame and answers its offset in the group. `firstSeq` is -1 unless the record repeats an earlier one. */
  add(frame: {
    readonly kind: number
    readonly seq: number
    readonly receivedAtMs: number
    readonly firstSeq: number
    readonly key: Uint8Array | null
    readonly semantic: boolean
    readonly envelopeKey: Uint8Array | null
    readonly meta: string
    readonly raw: Uint8Array
  }): number {
    const offset = this.#length
    this.#reserve(FRAME_HEADER_BYTES + frame.meta.length * 3 + frame.raw.length)
    const b = this.#buffer
    const metaLength = b.write(frame.meta, offset + FRAME_HEADER_BYTES, 'utf8')
    b.set(frame.raw, offset + FRAME_HEADER_BYTES + metaLength)
    const length = FRAME_HEADER_BYTES + metaLength + frame.raw.length
    b.writeUInt32LE(FRAME_MAGIC, offset)
    b.writeUInt32LE(length, offset + 4)
    b[offset + 12] = frame.kind
    b[offset + 13] =
      (frame.key === null ? 0 : FLAG_HAS_KEY) |
      (frame.semantic ? FLAG_SEMANTIC : 0) |
      (frame.envelopeKey === null ? 0 : FLAG_HAS_ENVELOPE_KEY)
    b.writeUInt16LE(0, offset + 14)
    b.writeDoubleLE(frame.seq, offset + 16)
    b.writeDoubleLE(frame.receivedAtMs, offset + 24)
    b.writeDoubleLE(frame.firstSeq, offset + 32)
    if (frame.key === null) b.fill(0, offset + 40, offset + 56)
    else b.set(frame.key, offset + 40)
    if (frame.envelopeKey === null) b.fill(0, offset + 56, offset + 72)
    else b.set(frame.envelopeKey, offset + 56)
    b.writeUInt32LE(metaLength, offset + 72)
    b.writeUInt32LE(0, offset + 76)
    b.writeUInt32LE(crc32(b.subarray(offset + 12, offset + length)), offset + 8)
    this.#length += length
    return offset
  }

  /** The bytes so far, in an ArrayBuffer of their own that may be transferred to another thread. */
  finish(): Buffer {
    return this.#buffer.subarray(0, this.#length)
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes
    if (needed <= this.#buffer.length) return
    const grown = Buffer.from(new ArrayBuffer(Math.max(needed, this.#buffer.length * 2)))
    this.#buffer.copy(grown, 0, 0, this.#length)
    this.#buffer = grown
  }
}

/** Length of a whole, undamaged frame at `offset`, 0 when more bytes are needed to tell, -1 when it is none. */
export function checkFrame(b: Buffer, offset: number): number {
  if (b.length - offset < FRAME_HEADER_BYTES) return 0
  if (b.readUInt32LE(offset) !== FRAME_MAGIC) return -1
  const length = b.readUInt32LE(offset + 4)
  if (length < FRAME_HEADER_BYTES || length > MAX_FRAME_BYTES) return -1
  if (b.length - offset < length) return 0
  if (b.readUInt32LE(offset + 72) > length - FRAME_HEADER_BYTES) return -1
  return crc32(b.subarray(offset + 12, offset + length)) === b.readUInt32LE(offset + 8) ? length : -1
}

export function frameHead(b: Buffer, offset: number): FrameHead {
  return {
    kind: b[offset + 12]!,
    seq: b.readDoubleLE(offset + 16),
    receivedAtMs: b.readDoubleLE(offset + 24),
    firstSeq: b.readDoubleLE(offset + 32),
    length: b.readUInt32LE(offset + 4),
  }
}

/** Identity key of a frame (a view, not a copy), or null. */
export function frameKey(b: Buffer, offset: number): Uint8Array | null {
  return (b[offset + 13]! & FLAG_HAS_KEY) === 0 ? null : b.subarray(offset + 40, offset + 56)
}

/** Envelope key of a frame (a view, not a copy), or null. */
export function frameEnvelopeKey(b: Buffer, offset: number): Uint8Array | null {
  return (b[offset + 13]! & FLAG_HAS_ENVELOPE_KEY) === 0 ? null : b.subarray(offset + 56, offset + 72)
}

export function frameMetaText(b: Buffer, offset: number): string {
  const start = offset + FRAME_HEADER_BYTES
  return b.toString('utf8', start, start + b.readUInt32LE(offset + 72))
}

/** The raw bytes of a frame: a view into `b`. */
export function frameRaw(b: Buffer, offset: number): Buffer {
  const start = offset + FRAME_HEADER_BYTES + b.readUInt32LE(offset + 72)
  return b.subarray(start, offset + b.readUInt32LE(offset + 4))
}

/** The decoded event of an event frame, as it was when it was accepted. */
export function frameEvent(b: Buffer, offset: number): { readonly event: DecodedEvent; readonly via: string } {
  const meta = JSON.parse(frameMetaText(b, offset)) as EventMeta
  const key = frameKey(b, offset)
  return {
    via: meta[16],
    event: {
      format: meta[0],
      layers: meta[1],
      source: meta[2],
      orgId: meta[3],
      envelopeId: meta[4],
      topic: meta[5],
      topicName: meta[6],
      params: meta[7],
      entity: meta[8],
      conversationId: meta[9],
      queueId: meta[10],
      userId: meta[11],
      occurredAtMs: meta[12],
      publishedAtMs: meta[13],
      marks: meta[14],
      failure: meta[15],
      key,
      keyKind: key === null ? 'none' : (b[offset + 13]! & FLAG_SEMANTIC) !== 0 ? 'semantic' : 'transport',
      envelopeKey: frameEnvelopeKey(b, offset),
      raw: frameRaw(b, offset),
    },
  }
}

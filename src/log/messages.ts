/** What the main thread and the log's writer thread say to each other. Plain data only: everything here is copied or transferred. */
import type { SegmentInfo } from './segment-file.ts'
import type { PackedAnswers, PackedRequests } from './wire.ts'

/** How to cut a request body into records; see event/split.ts. */
export type BodyKind = 'json' | 'ndjson' | 'auto'

/** One request: a stretch of the batch's buffer. */
export type AppendRequest = {
  readonly id: number
  readonly offset: number
  readonly length: number
  readonly kind: BodyKind
  readonly gzip: boolean
  /** How it came in: `http`, `simulator`, `file`... */
  readonly via: string
  readonly receivedAtMs: number
  /** Answer the ids even above 100 records. */
  readonly wantIds: boolean
  /** Not a body but the head of one that was too large: goes to quarantine as it is. */
  readonly oversize: { readonly sizeBytes: number; readonly sha256: string } | null
}

export type ToWriter =
  | { readonly type: 'append'; readonly buffer: ArrayBuffer; readonly requests: PackedRequests }
  | { readonly type: 'release'; readonly seq: number }
  | { readonly type: 'close' }

/** The answer to one request: an HTTP status and a ready JSON body. */
export type AppendAnswer = { readonly id: number; readonly status: number; readonly body: string }

export type SegmentsView = {
  readonly sealed: readonly SegmentInfo[]
  readonly active: (SegmentInfo & { readonly shared: SharedArrayBuffer }) | null
  readonly nextSeq: number
}

/** Counters of a log that has seen nothing yet. */
export const noCounts = (): LogCounters => ({
  accepted: 0,
  duplicates: 0,
  quarantined: 0,
  idsReused: 0,
  groups: 0,
  bytes: 0,
  quarantineDropped: 0,
})

/** Since the process started. */
export type LogCounters = {
  accepted: number
  duplicates: number
  quarantined: number
  idsReused: number
  groups: number
  bytes: number
  quarantineDropped: number
}

export type FromWriter =
  | {
      readonly type: 'ready'
      readonly logId: string
      readonly events: SegmentsView
      readonly quarantine: SegmentsView
      readonly recovery: {
        readonly tornBytes: number
        readonly damagedRecords: number
        readonly damagedBytes: number
        readonly tookMs: number
      }
    }
  | {
      readonly type: 'committed'
      readonly answers: PackedAnswers
      /** The frames just made durable, transferred: routes at the tail read them from memory. */
      readonly frames: readonly ArrayBuffer[]
      readonly frameBytes: readonly number[]
      readonly firstSeq: number
      readonly lastSeq: number
      /** Present when the list of segments changed or the active one grew. */
      readonly activeCount: number
      readonly activeBytes: number
      readonly activeMinReceivedAtMs: number
      readonly activeMaxReceivedAtMs: number
      readonly counters: LogCounters
      readonly totalBytes: number
      /** Request buffers that have been read: transferred back, so that memory goes round instead of up. */
      readonly spent: readonly ArrayBuffer[]
    }
  | { readonly type: 'segments'; readonly events: SegmentsView; readonly quarantine: SegmentsView; readonly totalBytes: number }
  | { readonly type: 'refused'; readonly ids: readonly number[]; readonly code: string; readonly message: string; readonly hint: string }
  | { readonly type: 'failed'; readonly code: string; readonly message: string; readonly hint: string }
  | { readonly type: 'closed' }

/**
 * Packs records into request bodies the service cuts again at the same places, each record's bytes unchanged: lines
 * as NDJSON; documents of several lines as an array, or alone when they are no JSON and could spoil their neighbours.
 */
import { isJson, type InputRecord } from './input.ts'

export type Batch = { readonly kind: BatchKind; readonly records: readonly InputRecord[] }

/** `lines` and `array` hold any number of records, `alone` one. */
export type BatchKind = 'lines' | 'array' | 'alone'

export const MAX_BATCH_RECORDS = 1000
export const MAX_BATCH_BYTES: number = 4 * 1024 * 1024

export const NDJSON = 'application/x-ndjson'
export const JSON_TYPE = 'application/json'

/** Consecutive records as batches; the last one may be far from full. */
export class Packer {
  #kind: BatchKind = 'lines'
  #records: InputRecord[] = []
  #bytes = 0

  get isEmpty(): boolean {
    return this.#records.length === 0
  }

  /** Takes a record in; answers the batch that had to be closed before it, if any. */
  add(record: InputRecord): Batch | null {
    const kind = kindOf(record)
    const full = this.#records.length >= MAX_BATCH_RECORDS || this.#bytes + record.bytes.length > MAX_BATCH_BYTES
    const closed = full || kind !== this.#kind || kind === 'alone' ? this.close() : null
    this.#kind = kind
    this.#records.push(record)
    this.#bytes += record.bytes.length + 1
    return closed
  }

  /** The batch so far, and a new one begun; null when there is nothing in it. */
  close(): Batch | null {
    if (this.isEmpty) return null
    const batch = { kind: this.#kind, records: this.#records }
    this.#records = []
    this.#bytes = 0
    return batch
  }
}

/** The body of a request. */
export function bodyOf(batch: Batch): { readonly type: string; readonly bytes: Uint8Array } {
  const parts = batch.records.map((record) => record.bytes)
  switch (batch.kind) {
    case 'lines':
      return { type: NDJSON, bytes: joined(parts, '', '\n', '\n') }
    case 'array':
      return { type: JSON_TYPE, bytes: joined(parts, '[', ',', ']') }
    case 'alone':
      return { type: JSON_TYPE, bytes: joined(parts, '', '', '') }
  }
}

/** Two halves of a batch, for a service that takes no body of this size; null when there is nothing to halve. */
export function halvesOf(batch: Batch): readonly [Batch, Batch] | null {
  const middle = Math.floor(batch.records.length / 2)
  if (middle === 0) return null
  return [
    { kind: batch.kind, records: batch.records.slice(0, middle) },
    { kind: batch.kind, records: batch.records.slice(middle) },
  ]
}

function kindOf(record: InputRecord): BatchKind {
  const { bytes } = record
  if (!bytes.includes(0x0a) && !bytes.includes(0x0d)) return 'lines'
  return isJson(bytes) ? 'array' : 'alone'
}

function joined(parts: readonly Uint8Array[], open: string, between: string, close: string): Uint8Array {
  const comma = Buffer.from(between)
  return Buffer.concat([Buffer.from(open), ...parts.flatMap((part, index) => (index === 0 ? [part] : [comma, part])), Buffer.from(close)])
}

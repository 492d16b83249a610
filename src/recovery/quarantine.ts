/** Quarantine: bytes that are no event, exactly as they came, newest first. */
import { type QuarantineMeta, frameMetaText, frameRaw } from '../log/frame.ts'
import { parseQuarantineId, quarantineId } from '../log/event-id.ts'
import type { LogReader, LogRecord } from '../log/reader.ts'

export type QuarantineRecord = {
  readonly id: string
  readonly code: string
  readonly message: string
  readonly receivedAtMs: number
  readonly via: string
  /** Place of the record in its request. */
  readonly index: number
  /** Size of the record as sent; larger than what is stored when it was over the body limit. */
  readonly sizeBytes: number
  readonly sha256: string | null
  readonly storedBytes: number
  /** True when `bytesBase64` holds less than what is stored. */
  readonly truncated: boolean
  readonly bytesBase64: string
}

const LIST_BYTES = 64 * 1024
/** A page ends early when it has read so much: its cursor goes on from there. */
const PAGE_BYTES = 4 * 1024 * 1024

/** A page of the quarantine. `cursor` is the seq to go on below. */
export async function listQuarantine(
  log: LogReader,
  logId: string,
  page: { readonly limit: number; readonly cursor?: number },
): Promise<{ records: QuarantineRecord[]; cursor: string | null }> {
  const records: QuarantineRecord[] = []
  let seq = Math.min(page.cursor ?? log.nextSeq, log.nextSeq) - 1
  let bytes = 0
  for (; seq >= log.firstSeq && records.length < page.limit && bytes < PAGE_BYTES; seq--) {
    const record = await log.record(seq)
    if (record === null) continue
    records.push(toRecord(record, logId, LIST_BYTES))
    bytes += frameRaw(record.buffer, record.at).length
  }
  return { records, cursor: seq >= log.firstSeq ? String(seq + 1) : null }
}

/** One quarantined record with all its bytes, or null. */
export async function findQuarantined(log: LogReader, logId: string, id: string): Promise<QuarantineRecord | null> {
  const seq = parseQuarantineId(logId, id)
  const record = seq === null ? null : await log.record(seq)
  return record === null ? null : toRecord(record, logId, Infinity)
}

function toRecord(record: LogRecord, logId: string, maxBytes: number): QuarantineRecord {
  const meta = JSON.parse(frameMetaText(record.buffer, record.at)) as QuarantineMeta
  const raw = frameRaw(record.buffer, record.at)
  const shown = raw.subarray(0, Math.min(raw.length, maxBytes))
  return {
    id: quarantineId(logId, record.seq),
    code: meta.code,
    message: meta.message,
    receivedAtMs: record.receivedAtMs,
    via: meta.via,
    index: meta.index,
    sizeBytes: meta.sizeBytes,
    sha256: meta.sha256,
    storedBytes: raw.length,
    truncated: shown.length < raw.length,
    bytesBase64: shown.toString('base64'),
  }
}

/**
 * Finds records by what people ask for. Walks the column files (28 bytes an event), newest or oldest first, and reads
 * only the records whose hashes fit; the record itself decides. No index is written at intake, so nothing lags.
 */
import type { Event } from '../event/event.ts'
import { COLUMN, COLUMN_COUNT, type ColumnName, hash32, keyWord } from './columns.ts'
import type { LogReader, LogRecord } from './reader.ts'

export type EventQuery = {
  readonly topic?: string
  readonly conversation?: string
  readonly queue?: string
  /** Agent: a Genesys user id. */
  readonly user?: string
  readonly envelopeId?: string
  /** Identity key: finds every receipt of the same event. */
  readonly key?: Uint8Array
  /** Receipt time, epoch ms, inclusive. */
  readonly fromMs?: number
  readonly toMs?: number
}

export type Found = { readonly record: LogRecord; readonly event: Event }

/** Records answering a query. `afterSeq`/`beforeSeq` are exclusive; the order is by seq. */
export async function* search(
  log: LogReader,
  query: EventQuery,
  range: { readonly order: 'asc' | 'desc'; readonly afterSeq?: number; readonly beforeSeq?: number },
): AsyncGenerator<Found> {
  const low = (range.afterSeq ?? 0) + 1
  const high = (range.beforeSeq ?? Infinity) - 1
  const hashes = hashesOf(query)
  const segments = [...log.segments]
  if (range.order === 'desc') segments.reverse()
  for (const segment of segments) {
    const end = segment.firstSeq + segment.count - 1
    if (end < low || segment.firstSeq > high) continue
    if (query.fromMs !== undefined && segment.maxReceivedAtMs < query.fromMs && segment.maxReceivedAtMs > 0) continue
    if (query.toMs !== undefined && segment.minReceivedAtMs > query.toMs) continue
    const words = hashes.length === 0 ? null : await log.columns(segment)
    const from = Math.max(low, segment.firstSeq)
    const to = Math.min(high, end)
    const candidates = words === null ? run(from, to, range.order) : fitting(words, hashes, segment.firstSeq, from, to, range.order)
    for await (const found of readAll(log, candidates, range.order)) if (fits(found.event, query)) yield found
  }
}

type HashTest = readonly [column: number, hash: number]

function hashesOf(query: EventQuery): HashTest[] {
  const tests: HashTest[] = []
  const add = (column: ColumnName, value: string | undefined): void => {
    if (value !== undefined) tests.push([COLUMN[column], hash32(value)])
  }
  add('topic', query.topic)
  add('conversation', query.conversation)
  add('queue', query.queue)
  add('user', query.user)
  add('envelopeId', query.envelopeId)
  if (query.key !== undefined) tests.push([COLUMN.key, keyWord(query.key)])
  return tests
}

function* run(from: number, to: number, order: 'asc' | 'desc'): Generator<number> {
  if (order === 'asc') for (let seq = from; seq <= to; seq++) yield seq
  else for (let seq = to; seq >= from; seq--) yield seq
}

function* fitting(
  words: Uint32Array,
  tests: readonly HashTest[],
  firstSeq: number,
  from: number,
  to: number,
  order: 'asc' | 'desc',
): Generator<number> {
  for (const seq of run(from, to, order)) {
    const at = (seq - firstSeq) * COLUMN_COUNT
    if (tests.every(([column, hash]) => words[at + column] === hash)) yield seq
  }
}

/** Reads candidates, taking neighbours from one read. */
async function* readAll(log: LogReader, seqs: Iterable<number>, order: 'asc' | 'desc'): AsyncGenerator<Found> {
  let window: readonly LogRecord[] = []
  for (const seq of seqs) {
    let record = at(window, seq)
    if (record === null) {
      const start = order === 'asc' ? seq : Math.max(log.firstSeq, seq - 63)
      window = (await log.read(start, 128 * 1024)).records
      record = at(window, seq)
      if (record === null) {
        window = (await log.read(seq, 64 * 1024)).records
        record = at(window, seq)
      }
    }
    if (record !== null) yield { record, event: log.event(record) }
  }
}

function at(window: readonly LogRecord[], seq: number): LogRecord | null {
  const first = window[0]
  if (first === undefined) return null
  const record = window[seq - first.seq]
  return record?.seq === seq ? record : (window.find((r) => r.seq === seq) ?? null)
}

function fits(event: Event, query: EventQuery): boolean {
  if (query.topic !== undefined && event.topic !== query.topic) return false
  if (query.conversation !== undefined && event.conversationId !== query.conversation) return false
  if (query.queue !== undefined && event.queueId !== query.queue) return false
  if (query.user !== undefined && event.userId !== query.user) return false
  if (query.envelopeId !== undefined && event.envelopeId !== query.envelopeId) return false
  if (query.fromMs !== undefined && event.receivedAtMs < query.fromMs) return false
  if (query.toMs !== undefined && event.receivedAtMs > query.toMs) return false
  return query.key === undefined || (event.key !== null && Buffer.compare(event.key, query.key) === 0)
}

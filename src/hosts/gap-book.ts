/** The gaps that sources reported, kept in the ledger: what was lost when, and what could be filled. Bounded; the oldest leave first. */
import type { Ledger } from '../routes/ledger.ts'
import type { Gap } from '../sources/source.ts'

export type RecordedGap = Gap & { readonly id: number }

const MAX_GAPS = 10_000

export class GapBook {
  readonly #ledger: Ledger
  #count: number
  #lostMs: number

  constructor(ledger: Ledger) {
    this.#ledger = ledger
    const row = ledger.get('SELECT count(*) AS n, coalesce(sum(to_ms - from_ms), 0) AS ms FROM gaps')
    this.#count = Number(row?.['n'] ?? 0)
    this.#lostMs = Number(row?.['ms'] ?? 0)
  }

  /** Gaps on record. */
  get count(): number {
    return this.#count
  }

  /** Their lengths together. */
  get lostMs(): number {
    return this.#lostMs
  }

  /** On disk when this returns: a gap that is forgotten is a loss that is hidden. */
  add(gap: Gap): void {
    this.#ledger.durably(() => {
      this.#ledger.run(
        'INSERT INTO gaps (source, from_ms, to_ms, gap) VALUES (?, ?, ?, ?)',
        gap.source,
        gap.fromMs,
        gap.toMs,
        JSON.stringify(gap),
      )
      this.#ledger.run('DELETE FROM gaps WHERE id <= (SELECT max(id) FROM gaps) - ?', MAX_GAPS)
    })
    this.#count = Math.min(MAX_GAPS, this.#count + 1)
    this.#lostMs += gap.toMs - gap.fromMs
  }

  /** Newest first. */
  list(page: { readonly limit: number; readonly cursor?: number }): { gaps: RecordedGap[]; cursor: string | null } {
    const rows = this.#ledger.all(
      'SELECT id, source, from_ms, to_ms, gap FROM gaps WHERE id < ? ORDER BY id DESC LIMIT ?',
      page.cursor ?? Number.MAX_SAFE_INTEGER,
      page.limit + 1,
    )
    const shown = rows.slice(0, page.limit)
    return { gaps: shown.flatMap(recorded), cursor: rows.length > page.limit ? String(shown.at(-1)?.['id']) : null }
  }
}

/** The gap of a row. One whose text is damaged still has its source and its times. */
function recorded(row: Readonly<Record<string, unknown>>): RecordedGap[] {
  const id = Number(row['id'])
  try {
    return [{ id, ...(JSON.parse(String(row['gap'])) as Gap) }]
  } catch {
    const source = String(row['source'])
    return [{ id, source, fromMs: Number(row['from_ms']), toMs: Number(row['to_ms']), reason: 'gap.unreadable', lost: [], filled: [] }]
  }
}

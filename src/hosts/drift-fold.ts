/** The drift report as something made of all events: kept in one row of the ledger, with the position it was made up to. */
import type { LogReader } from '../log/reader.ts'
import type { Ledger } from '../routes/ledger.ts'
import type { Fold } from './log-follower.ts'
import type { Validation } from './validation.ts'

const KEPT_AS = 'drift'

export type DriftFoldOptions = {
  readonly ledger: Ledger
  readonly validation: Validation
  readonly log: Pick<LogReader, 'nextSeq'>
  readonly warn: (code: string, message: string) => void
}

export function driftFold({ ledger, validation, log, warn }: DriftFoldOptions): Fold {
  return {
    name: 'the drift report',
    load() {
      const row = ledger.get('SELECT value FROM kept WHERE name = ?', KEPT_AS)
      if (row === undefined) return null
      try {
        const kept = JSON.parse(String(row['value'])) as { position: number; report: unknown }
        const within = Number.isSafeInteger(kept.position) && kept.position > 0 && kept.position <= log.nextSeq
        if (!within) throw new Error('its position is none of this log')
        validation.restoreReport(kept.report)
        return kept.position
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error)
        warn('drift.unreadable', `the stored drift report cannot be read (${why}); it is begun anew from the oldest event`)
        return null
      }
    },
    fold: (event, body) => validation.fold(event, body),
    store(position) {
      const value = JSON.stringify({ position, report: validation.storedReport() })
      ledger.run('INSERT OR REPLACE INTO kept (name, value) VALUES (?, ?)', KEPT_AS, value)
    },
  }
}

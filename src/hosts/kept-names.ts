/** The names that a service kept in its data directory, for commands that run without one. Reads only; whatever is in the way, there are none. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type NamedThings, NOTHING_NAMED } from '../config/names.ts'
import { keptThings } from '../genesys/directory.ts'

/** As what the directory keeps its names in the ledger. */
export const NAMES_KEPT_AS = 'names'

export function keptNames(dataDir: string): NamedThings {
  const path = join(dataDir, 'ledger.db')
  if (!existsSync(path)) return NOTHING_NAMED
  try {
    const db = new DatabaseSync(path, { readOnly: true })
    try {
      const row = db.prepare('SELECT value FROM kept WHERE name = ?').get(NAMES_KEPT_AS)
      if (row === undefined) return NOTHING_NAMED
      const text = String(row['value'])
      return { queues: keptThings(text, 'queues'), divisions: keptThings(text, 'divisions') }
    } finally {
      db.close()
    }
  } catch {
    return NOTHING_NAMED
  }
}

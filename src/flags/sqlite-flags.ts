/** Flags in the ledger's SQLite file. Each change is on disk before it has an effect: a person asked for it. */
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite'
import { type Flag, type FlagChange, type FlagName, type FlagStore, keyOf } from './flags.ts'

/** What the store needs of the ledger. */
export type FlagDatabase = { readonly db: DatabaseSync; durably(work: () => void): void }

const MAX_CHANGES = 10_000

/** `warn` is told of rows that cannot be read; what they said does not hold then. */
export function sqliteFlags(ledger: FlagDatabase, warn: (code: string, message: string) => void): FlagStore {
  const { db } = ledger
  const put = db.prepare('INSERT OR REPLACE INTO flags (key, name, value, until_ms, by, at_ms) VALUES (?, ?, ?, ?, ?, ?)')
  const remove = db.prepare('DELETE FROM flags WHERE key = ?')
  const record = db.prepare('INSERT INTO flag_changes (name, from_value, to_value, until_ms, by, at_ms) VALUES (?, ?, ?, ?, ?, ?)')
  const trim = db.prepare('DELETE FROM flag_changes WHERE id <= (SELECT max(id) FROM flag_changes) - ?')
  const readable = <T>(row: Row, read: (row: Row) => T): T[] => {
    try {
      return [read(row)]
    } catch {
      warn(
        'flag.unreadable',
        'a row of the flags in ledger.db is damaged; it is left out, and the configuration holds for what it was about',
      )
      return []
    }
  }
  return {
    load: () =>
      db
        .prepare('SELECT name, value, until_ms, by, at_ms FROM flags ORDER BY key')
        .all()
        .flatMap((row) => readable(row, toFlag)),
    put(change) {
      const { from, to, untilMs, by, atMs, ...name } = change
      ledger.durably(() => {
        if (to === null) remove.run(keyOf(change))
        else put.run(keyOf(change), JSON.stringify(name), JSON.stringify(to), untilMs, by, atMs)
        record.run(JSON.stringify(name), JSON.stringify(from), JSON.stringify(to), untilMs, by, atMs)
        trim.run(MAX_CHANGES)
      })
    },
    changes: (limit) =>
      db
        .prepare('SELECT name, from_value, to_value, until_ms, by, at_ms FROM flag_changes ORDER BY id DESC LIMIT ?')
        .all(limit)
        .flatMap((row) => readable(row, toChange)),
  }
}

type Row = Record<string, SQLOutputValue>

function toFlag(row: Row): Flag {
  const name = JSON.parse(String(row['name'])) as FlagName
  const value = JSON.parse(String(row['value'])) as Flag['value']
  return { ...name, value, untilMs: endOf(row), by: String(row['by']), atMs: Number(row['at_ms']) }
}

function toChange(row: Row): FlagChange {
  const name = JSON.parse(String(row['name'])) as FlagName
  const from = JSON.parse(String(row['from_value'])) as FlagChange['from']
  const to = JSON.parse(String(row['to_value'])) as FlagChange['to']
  return { ...name, from, to, untilMs: endOf(row), by: String(row['by']), atMs: Number(row['at_ms']) }
}

const endOf = (row: Row): number | null => (row['until_ms'] === null ? null : Number(row['until_ms']))

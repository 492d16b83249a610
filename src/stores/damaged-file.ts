/** SQLite files that can be made anew: telling one that is damaged from one that cannot be had, and moving it out of the way. */
import { renameSync, rmSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { TrunklineError } from '../errors.ts'

const SQLITE_CORRUPT = 11
const SQLITE_NOTADB = 26

/** What is wrong with a file that opened, or null. Reads every page that holds a row or an index: what is damaged is found now. */
export function damageOf(db: DatabaseSync): string | null {
  const check = String(db.prepare('PRAGMA quick_check(1)').get()?.['quick_check'])
  return check === 'ok' ? null : check
}

/** Whether SQLite says by this error that the file is no database, or a damaged one. */
export function tellsDamage(error: unknown): boolean {
  const { errcode = 0 } = error as { readonly errcode?: number }
  return [SQLITE_CORRUPT, SQLITE_NOTADB].includes(errcode & 0xff)
}

/** The error of a file that another one in its place would not mend. */
export function unusable(path: string, cause: Error): TrunklineError {
  return new TrunklineError(
    'data_dir.unusable',
    `${path} cannot be opened: ${cause.message}`,
    'Mend its permissions and look at the disk.',
    {
      cause,
    },
  )
}

/** Makes room for a new file. One damaged file is kept; its WAL would be taken for that of the new one. */
export function moveAside(path: string): void {
  renameSync(path, `${path}.damaged`)
  for (const end of ['-wal', '-shm']) rmSync(`${path}${end}`, { force: true })
}

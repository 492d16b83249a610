/**
 * The tokens of the limits, in a file of their own. It is worth a second or so of events, so one that is damaged is moved aside, told, and
 * begun anew: the service starts without it. It is opened when a route asks for the first time.
 */
import { existsSync, renameSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'

import { TrunklineError } from '../errors.ts'
import { sqliteStore } from '../stores/sqlite.ts'
import type { Store } from '../stores/store.ts'

const SQLITE_CORRUPT = 11
const SQLITE_NOTADB = 26

export class LimitsFile {
  readonly #path: string
  readonly #warn: (code: string, message: string) => void
  #store: Store | null = null

  constructor(path: string, warn: (code: string, message: string) => void) {
    this.#path = path
    this.#warn = warn
  }

  get store(): Store {
    return (this.#store ??= this.#open())
  }

  async close(): Promise<void> {
    await this.#store?.close()
  }

  #open(): Store {
    const path = this.#path
    const problem = existsSync(path) ? damageOf(path) : null
    if (problem !== null) {
      renameSync(path, `${path}.damaged`)
      for (const end of ['-wal', '-shm']) rmSync(`${path}${end}`, { force: true })
      this.#warn('limit.store_damaged', `${path} cannot be read (${problem}); it was moved to ${path}.damaged, and limits begin full`)
    }
    return sqliteStore({ path })
  }
}

/** What is wrong with the file, or null. Throws for what another file would not mend. */
function damageOf(path: string): string | null {
  let db: DatabaseSync | null = null
  try {
    db = new DatabaseSync(path)
    // Reads every page that holds a row or an index: what is damaged is found now.
    const check = String(db.prepare('PRAGMA quick_check(1)').get()?.['quick_check'])
    return check === 'ok' ? null : check
  } catch (error) {
    const { message, errcode = 0 } = error as Error & { readonly errcode?: number }
    if ([SQLITE_CORRUPT, SQLITE_NOTADB].includes(errcode & 0xff)) return message
    throw new TrunklineError('data_dir.unusable', `${path} cannot be opened: ${message}`, 'Mend its permissions and look at the disk.', {
      cause: error,
    })
  } finally {
    db?.close()
  }
}

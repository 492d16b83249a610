/**
 * The tokens of the limits, in a file of their own. It is worth a second or so of events, so one that is damaged is moved aside, told, and
 * begun anew: the service starts without it. It is opened when a route asks for the first time.
 */
import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'

import { damageOf, moveAside, tellsDamage, unusable } from '../stores/damaged-file.ts'
import { sqliteStore } from '../stores/sqlite.ts'
import type { Store } from '../stores/store.ts'

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
    const problem = existsSync(path) ? damageIn(path) : null
    if (problem !== null) {
      moveAside(path)
      this.#warn('limit.store_damaged', `${path} cannot be read (${problem}); it was moved to ${path}.damaged, and limits begin full`)
    }
    return sqliteStore({ path })
  }
}

/** What is wrong with the file, or null. Throws for what another file would not mend. */
function damageIn(path: string): string | null {
  let db: DatabaseSync | null = null
  try {
    db = new DatabaseSync(path)
    return damageOf(db)
  } catch (error) {
    if (tellsDamage(error)) return (error as Error).message
    throw unusable(path, error as Error)
  } finally {
    db?.close()
  }
}

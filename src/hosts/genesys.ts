/**
 * What the service does with the API of Genesys Cloud, where an OAuth client is configured: one client with one rate budget for
 * all, the names behind ids, and the notification source. Names are there before the routes, events come after them.
 */
import type { Config } from '../config/config.ts'
import type { Event } from '../event/event.ts'
import { Directory } from '../genesys/directory.ts'
import { namesBeside, type DocumentNames } from '../genesys/names-in-document.ts'
import type { PlatformClient } from '../genesys/platform-client.ts'
import type { Log } from '../log/log.ts'
import type { Ledger } from '../routes/ledger.ts'
import type { Source } from '../sources/source.ts'
import { systemClock } from './clock.ts'
import type { GapBook } from './gap-book.ts'
import { openNotifications } from './notifications.ts'
import { platformOf } from './platform.ts'

export type GenesysRooms = {
  readonly config: Config
  readonly log: Log
  readonly ledger: Ledger
  readonly gaps: GapBook
  readonly warn: (code: string, message: string) => void
}

const NAMES_KEPT_AS = 'names'

export class Genesys {
  /** Null where no OAuth client is configured. */
  readonly directory: Directory | null
  readonly #platform: PlatformClient | null
  readonly #source: Source | null
  readonly #ended = new AbortController()

  constructor(rooms: GenesysRooms) {
    const { genesys } = rooms.config
    const { ledger, log, gaps, warn } = rooms
    const clock = systemClock
    const configured = genesys.clientId !== null && genesys.clientSecret !== null
    this.#platform = configured ? platformOf(genesys, { clock, random: Math.random, fetch, signal: this.#ended.signal }) : null
    this.directory =
      this.#platform === null
        ? null
        : new Directory({
            platform: this.#platform.background,
            clock,
            random: Math.random,
            refreshMs: genesys.namesRefreshMs,
            load: async () => {
              const row = ledger.get('SELECT value FROM kept WHERE name = ?', NAMES_KEPT_AS)
              return row === undefined ? null : String(row['value'])
            },
            save: async (text) => void ledger.run('INSERT OR REPLACE INTO kept (name, value) VALUES (?, ?)', NAMES_KEPT_AS, text),
          })
    this.#source =
      this.#platform === null || genesys.notifications === null
        ? null
        : openNotifications({
            settings: genesys.notifications,
            platform: this.#platform,
            log,
            ledger,
            gaps,
            clock,
            random: Math.random,
            warn,
          })
  }

  /** Names of the ids in an event; null where there is no directory. */
  get namesIn(): ((event: Event) => DocumentNames | null) | null {
    const { directory } = this
    return directory === null ? null : (event) => namesBeside(event, directory)
  }

  /** The names of the last run are there when this resolves; the lists are read in the background. */
  async startNames(): Promise<void> {
    await this.directory?.start()
  }

  async startSource(): Promise<void> {
    await this.#source?.start()
  }

  /** No event comes from here any more when this resolves. */
  async stop(): Promise<void> {
    await this.#source?.stop()
    await this.directory?.stop()
    this.#ended.abort()
  }

  /** Facts for `GET /v1/stats`. */
  status(): Readonly<Record<string, object>> {
    return {
      ...(this.#source === null ? {} : { [this.#source.name]: this.#source.status() }),
      ...(this.#platform === null ? {} : { 'genesys.budget': this.#platform.budget() }),
    }
  }
}

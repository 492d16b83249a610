/**
 * What the service does with the API of Genesys Cloud, where an OAuth client is configured: one client with one rate budget for
 * all, the names behind ids, and the notification source. Names are there before the routes, events come after them.
 */
import type { Config } from '../config/config.ts'
import type { Event } from '../event/event.ts'
import { Directory } from '../genesys/directory.ts'
import { namesBeside, type DocumentNames } from '../genesys/names-in-document.ts'
import type { Platform } from '../genesys/platform.ts'
import type { PlatformClient } from '../genesys/platform-client.ts'
import type { Log } from '../log/log.ts'
import type { Ledger } from '../routes/ledger.ts'
import type { OpenGap, Source } from '../sources/source.ts'
import { systemClock } from './clock.ts'
import type { GapBook } from './gap-book.ts'
import { NAMES_KEPT_AS } from './kept-names.ts'
import { openNotifications } from './notifications.ts'
import { platformOf } from './platform.ts'

export type GenesysRooms = {
  readonly config: Config
  readonly log: Log
  readonly ledger: Ledger
  readonly gaps: GapBook
  readonly warn: (code: string, message: string) => void
  readonly info: (message: string) => void
}

export class Genesys {
  /** Null where no OAuth client is configured. */
  readonly directory: Directory | null
  readonly #platform: PlatformClient | null
  /** The notification source, where it is configured. */
  readonly sources: readonly Source[]
  readonly #ended = new AbortController()

  constructor(rooms: GenesysRooms) {
    const { genesys } = rooms.config
    const { ledger, log, gaps, warn, info } = rooms
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
    this.sources =
      this.#platform === null || genesys.notifications === null
        ? []
        : [
            openNotifications({
              settings: genesys.notifications,
              platform: this.#platform,
              log,
              ledger,
              gaps,
              clock,
              random: Math.random,
              warn,
              info,
            }),
          ]
  }

  /** The calls of the API for what can wait; null where no OAuth client is configured. */
  get background(): Platform | null {
    return this.#platform?.background ?? null
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

  async startSources(): Promise<void> {
    for (const source of this.sources) await source.start()
  }

  /** No event comes from here any more when this resolves. */
  async stop(): Promise<void> {
    for (const source of this.sources) await source.stop()
    await this.directory?.stop()
    this.#ended.abort()
  }

  /** Gaps not on record yet, those that last first. */
  openGaps(): readonly OpenGap[] {
    return this.sources.flatMap((source) => source.openGaps())
  }

  /** Facts for `GET /v1/stats`. */
  status(): Readonly<Record<string, object>> {
    return {
      ...Object.fromEntries(this.sources.map((source) => [source.name, source.status()])),
      ...(this.#platform === null ? {} : { 'genesys.budget': this.#platform.budget() }),
    }
  }
}

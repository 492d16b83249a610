/**
 * Names for ids: queues, users, divisions, wrap-up codes, flows. Reading a name never waits and never fails; the lists are
 * read anew in the background, within the rate budget, and kept over a restart. What is not sure to be true now is
 * marked stale: a thing that the last list no longer had, or all of a kind whose list could not be read for long.
 *
 * An id that is not known has the list of its kind read again soon, once in a while for however many such ids; an id that
 * was not in it then is not asked for until the list is due anyway. All of it is bounded.
 */
import type { Clock } from '../pipeline/clock.ts'
import { readSnapshot, writeSnapshot, type Entry, type Shelf } from './directory-snapshot.ts'
import type { Named, Platform, Queue, ServiceGoal } from './platform.ts'

export const DIRECTORY_KINDS = ['queues', 'users', 'divisions', 'wrapupcodes', 'flows'] as const

export type DirectoryKind = (typeof DIRECTORY_KINDS)[number]

export type DirectoryName = { readonly name: string; readonly stale: boolean }

/** Why something failed, and when. */
export type DirectoryProblem = { readonly code: string; readonly message: string; readonly atMs: number }

export type KindState = {
  readonly kind: DirectoryKind
  readonly names: number
  /** When the list was read last, epoch ms; null when never. */
  readonly loadedAtMs: number | null
  readonly stale: boolean
  /** When it is read next, epoch ms. */
  readonly nextAtMs: number
  /** Of the last attempt; null when it went well. */
  readonly lastError: DirectoryProblem | null
}

export type DirectoryState = {
  readonly kinds: readonly KindState[]
  /** Of keeping the names over a restart. */
  readonly snapshotError: DirectoryProblem | null
}

export type DirectoryList = {
  readonly names: readonly (DirectoryName & { readonly id: string })[]
  /** How many fit, those beyond the limit counted. */
  readonly total: number
}

/** A thing with its id; of queues and users the division as well. */
export type DirectoryThing = { readonly id: string; readonly name: string; readonly divisionId: string | null }

/** What stages and APIs need of it. */
export interface Names {
  nameOf(kind: DirectoryKind, id: string): DirectoryName | null
}

export type DirectoryOptions = {
  /** The background calls of the client, so that names wait for what is more urgent. */
  readonly platform: Pick<Platform, 'queues' | 'users' | 'divisions' | 'wrapupCodes' | 'flows'>
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  /** How often each list is read anew. Default one hour. */
  readonly refreshMs?: number
  /** The text that `save` was last given; null when there is none. */
  load(): Promise<string | null>
  save(text: string): Promise<void>
}

const REFRESH_MS = 3_600_000
/** After an unknown id, and not more often than. */
const SOON_MS = 5_000
const SOON_AGAIN_MS = 300_000
/** After a failure; doubled with every further one. */
const RETRY_MS = 60_000
const MAX_NAMES = 100_000
const MAX_MISSED = 10_000
const MAX_NAME_CHARS = 200
const MAX_ID_CHARS = 300

/** Of some kinds more is kept than the name. */
type Thing = Named & Partial<Pick<Queue, 'divisionId' | 'serviceGoals'>>

type Kind = {
  readonly kind: DirectoryKind
  readonly read: (signal: AbortSignal) => Promise<readonly Thing[]>
  shelf: Shelf
  nextAtMs: number
  attemptedAtMs: number
  failures: number
  lastError: DirectoryProblem | null
  /** The next reading is for an unknown id, before its time. */
  soon: boolean
  /** Ids asked for that the list did not have, since it was read in its own time. */
  readonly missed: Set<string>
}

export class Directory implements Names {
  readonly #options: DirectoryOptions
  readonly #refreshMs: number
  readonly #kinds: ReadonlyMap<DirectoryKind, Kind>
  readonly #stop = new AbortController()
  #wake = new AbortController()
  readonly #listeners = new Set<() => void>()
  #snapshotError: DirectoryProblem | null = null
  #running: Promise<void> = Promise.resolve()

  constructor(options: DirectoryOptions) {
    this.#options = options
    this.#refreshMs = options.refreshMs ?? REFRESH_MS
    const { platform } = options
    const reads: Readonly<Record<DirectoryKind, Kind['read']>> = {
      queues: (signal) => platform.queues(signal),
      users: (signal) => platform.users(signal),
      divisions: (signal) => platform.divisions(signal),
      wrapupcodes: (signal) => platform.wrapupCodes(signal),
      flows: (signal) => platform.flows(signal),
    }
    this.#kinds = new Map(DIRECTORY_KINDS.map((kind) => [kind, emptyKind(kind, reads[kind])]))
  }

  /** Resolves when the names of the last run are there; reading the lists goes on in the background. */
  async start(): Promise<void> {
    try {
      const text = await this.#options.load()
      const shelves = text === null ? new Map<string, Shelf>() : readSnapshot(text, MAX_NAMES, MAX_NAME_CHARS)
      for (const [name, shelf] of shelves) {
        const kind = this.#kinds.get(name as DirectoryKind)
        if (kind !== undefined) kind.shelf = shelf
      }
    } catch (error) {
      this.#snapshotError = this.#problem(error)
    }
    const nowMs = this.#options.clock.nowMs()
    for (const kind of this.#kinds.values()) {
      // A list that is fresh from before the restart need not be read at once; times to come are no times.
      const ageMs = nowMs - (kind.shelf.loadedAtMs ?? 0)
      kind.nextAtMs = ageMs >= 0 && ageMs < this.#refreshMs ? nowMs + this.#jittered(this.#refreshMs - ageMs) : nowMs
    }
    this.#running = this.#run()
  }

  /** Ends what is under way. Names can still be read. */
  async stop(): Promise<void> {
    this.#stop.abort()
    this.#wake.abort()
    await this.#running
  }

  /** The name of an id, or null. Never waits, never throws. */
  nameOf(kind: DirectoryKind, id: string): DirectoryName | null {
    const found = this.#kinds.get(kind)
    const entry = found?.shelf.entries.get(id)
    if (found === undefined) return null
    if (entry !== undefined) return { name: entry.name, stale: this.#isStale(found, entry) }
    this.#miss(found, id)
    return null
  }

  /** The division of a queue or user; null where it is not known. */
  divisionOf(kind: 'queues' | 'users', id: string): string | null {
    return this.#kinds.get(kind)?.shelf.entries.get(id)?.divisionId ?? null
  }

  /** The service goals of a queue; none where it is unknown or has none. */
  goalsOf(queueId: string): readonly ServiceGoal[] {
    return this.#kinds.get('queues')?.shelf.entries.get(queueId)?.serviceGoals ?? []
  }

  /** Everything of a kind, also what the last list no longer had; null while the list was never read. */
  things(kind: DirectoryKind): readonly DirectoryThing[] | null {
    const shelf = this.#kinds.get(kind)?.shelf
    return shelf === undefined ? null : thingsOn(shelf)
  }

  /** Told when lists were read, and kept. */
  onRead(listener: () => void): void {
    this.#listeners.add(listener)
  }

  /** Names of a kind that have `text` in them (case ignored) or are its id, sorted by name. */
  list(kind: DirectoryKind, text = '', limit = 1_000): DirectoryList {
    const found = this.#kinds.get(kind)
    if (found === undefined) return { names: [], total: 0 }
    const wanted = text.toLowerCase()
    const fitting = [...found.shelf.entries].filter(([id, { name }]) => wanted === '' || id === text || name.toLowerCase().includes(wanted))
    const sorted = fitting.sort(([, left], [, right]) => (left.name < right.name ? -1 : left.name > right.name ? 1 : 0))
    const names = sorted.slice(0, limit).map(([id, entry]) => ({ id, name: entry.name, stale: this.#isStale(found, entry) }))
    return { names, total: fitting.length }
  }

  state(): DirectoryState {
    const kinds = [...this.#kinds.values()].map((kind) => ({
      kind: kind.kind,
      names: kind.shelf.entries.size,
      loadedAtMs: kind.shelf.loadedAtMs,
      stale: this.#isOld(kind),
      nextAtMs: kind.nextAtMs,
      lastError: kind.lastError,
    }))
    return { kinds, snapshotError: this.#snapshotError }
  }

  #isStale(kind: Kind, entry: Entry): boolean {
    return entry.seenAtMs !== kind.shelf.loadedAtMs || this.#isOld(kind)
  }

  /** Whether a list is older than a refresh that failed or is under way can explain. */
  #isOld({ shelf }: Kind): boolean {
    return shelf.loadedAtMs === null || this.#options.clock.nowMs() - shelf.loadedAtMs > 2 * this.#refreshMs
  }

  #miss(kind: Kind, id: string): void {
    // Before the first list everything is unknown; while lists cannot be read, asking sooner does not help.
    if (kind.shelf.loadedAtMs === null || kind.lastError !== null) return
    if (kind.missed.size >= MAX_MISSED || kind.missed.has(id) || id.length > MAX_ID_CHARS) return
    kind.missed.add(id)
    const soonAtMs = Math.max(this.#options.clock.nowMs() + SOON_MS, kind.attemptedAtMs + SOON_AGAIN_MS)
    if (soonAtMs >= kind.nextAtMs) return
    kind.nextAtMs = soonAtMs
    kind.soon = true
    this.#wake.abort()
  }

  async #run(): Promise<void> {
    const { clock } = this.#options
    while (!this.#stop.signal.aborted) {
      this.#wake = new AbortController()
      const nowMs = clock.nowMs()
      const due = [...this.#kinds.values()].filter(({ nextAtMs }) => nextAtMs <= nowMs)
      if (due.length === 0) {
        const nextAtMs = Math.min(...[...this.#kinds.values()].map((kind) => kind.nextAtMs))
        await clock.wait(Math.max(1, nextAtMs - nowMs), this.#wake.signal)
        continue
      }
      let read = false
      for (const kind of due) if (await this.#read(kind)) read = true
      if (!read) continue
      await this.#save()
      for (const listener of this.#listeners) listener()
    }
  }

  /** Reads a list; true when that went well. */
  async #read(kind: Kind): Promise<boolean> {
    const { clock } = this.#options
    if (this.#stop.signal.aborted) return false
    kind.attemptedAtMs = clock.nowMs()
    try {
      const things = await kind.read(this.#stop.signal)
      kind.shelf = shelve(kind.shelf, things, clock.nowMs())
      kind.failures = 0
      kind.lastError = null
      kind.nextAtMs = clock.nowMs() + this.#jittered(this.#refreshMs)
      if (!kind.soon) kind.missed.clear()
      kind.soon = false
      return true
    } catch (error) {
      if (this.#stop.signal.aborted) return false
      kind.failures += 1
      kind.lastError = this.#problem(error)
      kind.nextAtMs = clock.nowMs() + this.#jittered(Math.min(this.#refreshMs, RETRY_MS * 2 ** Math.min(kind.failures - 1, 20)))
      return false
    }
  }

  async #save(): Promise<void> {
    try {
      await this.#options.save(writeSnapshot(new Map([...this.#kinds].map(([name, { shelf }]) => [name, shelf]))))
      this.#snapshotError = null
    } catch (error) {
      this.#snapshotError = this.#problem(error)
    }
  }

  /** Between 90 % and 100 %, so that many services do not come at the same moment for ever. */
  #jittered(ms: number): number {
    return Math.round(ms * (1 - this.#options.random() / 10))
  }

  #problem(error: unknown): DirectoryProblem {
    const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'genesys.unexpected'
    const message = error instanceof Error ? error.message : String(error)
    return { code: code.slice(0, 100), message: message.slice(0, 500), atMs: this.#options.clock.nowMs() }
  }
}

function emptyKind(kind: DirectoryKind, read: Kind['read']): Kind {
  const shelf = { loadedAtMs: null, entries: new Map<string, Entry>() }
  return { kind, read, shelf, nextAtMs: 0, attemptedAtMs: 0, failures: 0, lastError: null, soon: false, missed: new Set() }
}

/** The new list, and behind it what only the old one had: events of yesterday still name it. */
function shelve(old: Shelf, things: readonly Thing[], nowMs: number): Shelf {
  const entries = new Map<string, Entry>()
  for (const { id, name, divisionId = null, serviceGoals = [] } of things) {
    if (entries.size >= MAX_NAMES) break
    entries.set(id, {
      name: cut(name),
      seenAtMs: nowMs,
      ...(divisionId === null ? {} : { divisionId }),
      ...(serviceGoals.length === 0 ? {} : { serviceGoals }),
    })
  }
  for (const [id, entry] of old.entries) {
    if (entries.size >= MAX_NAMES) break
    if (!entries.has(id)) entries.set(id, entry)
  }
  return { loadedAtMs: nowMs, entries }
}

function thingsOn({ loadedAtMs, entries }: Shelf): readonly DirectoryThing[] | null {
  return loadedAtMs === null ? null : [...entries].map(([id, { name, divisionId = null }]) => ({ id, name, divisionId }))
}

/** The things of a text that `save` was given once; null where there are none of the kind. Throws when it is no such text. */
export function keptThings(text: string, kind: DirectoryKind): readonly DirectoryThing[] | null {
  const shelf = readSnapshot(text, MAX_NAMES, MAX_NAME_CHARS).get(kind)
  return shelf === undefined ? null : thingsOn(shelf)
}

function cut(name: string): string {
  return name.length <= MAX_NAME_CHARS ? name : `${name.slice(0, MAX_NAME_CHARS - 1).toWellFormed()}…`
}

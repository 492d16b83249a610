/** The names as one JSON text, to be kept over a restart. What cannot be read of it is left out: it will be read from Genesys again. */
import type { ServiceGoal } from './platform.ts'
import { isObject } from './reading.ts'

export type Entry = {
  readonly name: string
  /** When a list last had it, epoch ms. */
  readonly seenAtMs: number
  /** Of queues, and of users. */
  readonly divisionId?: string
  /** Of queues. */
  readonly serviceGoals?: readonly ServiceGoal[]
}

/** The names of one kind. */
export type Shelf = {
  /** When the list was read last, epoch ms. */
  readonly loadedAtMs: number | null
  readonly entries: ReadonlyMap<string, Entry>
}

const VERSION = 1

export function writeSnapshot(shelves: ReadonlyMap<string, Shelf>): string {
  const kinds = Object.fromEntries(
    [...shelves].map(([kind, { loadedAtMs, entries }]) => [
      kind,
      { loadedAtMs, names: [...entries].map(([id, entry]) => rowOf(id, entry)) },
    ]),
  )
  return `${JSON.stringify({ version: VERSION, kinds })}\n`
}

/** Throws when the text is no snapshot at all. */
export function readSnapshot(text: string, maxNames: number, maxChars: number): ReadonlyMap<string, Shelf> {
  const value: unknown = JSON.parse(text)
  if (!isObject(value) || value['version'] !== VERSION || !isObject(value['kinds']))
    throw new Error('the kept names are of another version')
  return new Map(
    Object.entries(value['kinds']).flatMap(([kind, shelf]) => (isObject(shelf) ? [[kind, shelfOf(shelf, maxNames, maxChars)]] : [])),
  )
}

function shelfOf(shelf: Readonly<Record<string, unknown>>, maxNames: number, maxChars: number): Shelf {
  const entries = new Map<string, Entry>()
  const names: readonly unknown[] = Array.isArray(shelf['names']) ? shelf['names'] : []
  for (const row of names.slice(0, maxNames)) {
    if (!Array.isArray(row)) continue
    const [id, name, seenAtMs, more] = row as readonly unknown[]
    if (typeof id === 'string' && typeof name === 'string' && name.length <= maxChars && isInstant(seenAtMs))
      entries.set(id, { name, seenAtMs, ...moreOf(more) })
  }
  return { loadedAtMs: isInstant(shelf['loadedAtMs']) ? shelf['loadedAtMs'] : null, entries }
}

/** What only some things have stands in an object behind the rest. */
function rowOf(id: string, { name, seenAtMs, ...more }: Entry): readonly unknown[] {
  return Object.keys(more).length === 0 ? [id, name, seenAtMs] : [id, name, seenAtMs, more]
}

function moreOf(more: unknown): Omit<Entry, 'name' | 'seenAtMs'> {
  if (!isObject(more)) return {}
  const { divisionId, serviceGoals } = more
  return {
    ...(typeof divisionId === 'string' ? { divisionId } : {}),
    ...(Array.isArray(serviceGoals) && serviceGoals.every(isGoal) ? { serviceGoals } : {}),
  }
}

function isGoal(value: unknown): value is ServiceGoal {
  if (!isObject(value)) return false
  const { mediaType, targetMs, share } = value
  return typeof mediaType === 'string' && isInstant(targetMs) && (share === null || typeof share === 'number')
}

function isInstant(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= 8.64e15
}

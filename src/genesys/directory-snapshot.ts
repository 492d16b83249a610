/** The names as one JSON text, to be kept over a restart. What cannot be read of it is left out: it will be read from Genesys again. */
import { isObject } from './reading.ts'

export type Entry = {
  readonly name: string
  /** When a list last had it, epoch ms. */
  readonly seenAtMs: number
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
      { loadedAtMs, names: [...entries].map(([id, { name, seenAtMs }]) => [id, name, seenAtMs]) },
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
    const [id, name, seenAtMs] = row as readonly unknown[]
    if (typeof id === 'string' && typeof name === 'string' && name.length <= maxChars && isInstant(seenAtMs))
      entries.set(id, { name, seenAtMs })
  }
  return { loadedAtMs: isInstant(shelf['loadedAtMs']) ? shelf['loadedAtMs'] : null, entries }
}

function isInstant(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= 8.64e15
}

/**
 * Lists that come in pages. Pages are asked for by number; `nextUri` of an answer is only taken as "there is more" and
 * never followed. A list is whole or an error: pages that repeat themselves or do not end are `genesys.paging`.
 */
import type { Caller } from './caller.ts'
import { GenesysError } from './failure.ts'
import { isObject, listAt, textAt, Unreadable, wholeNumberAt, type JsonObject } from './reading.ts'

export type PagedList<T> = {
  readonly path: string
  readonly query?: readonly (readonly [string, string])[]
  /** An entity as it is wanted; null for one without what makes it one, which is left out. */
  readonly read: (entity: JsonObject) => T | null
  readonly signal?: AbortSignal | undefined
}

const PAGE_SIZE = 100
const MAX_PAGES = 1_000

/** Every entity of all pages. */
export async function allPages<T extends { readonly id: string }>(caller: Caller, list: PagedList<T>): Promise<readonly T[]> {
  const found = new Map<string, T>()
  for (let page = 1; page <= MAX_PAGES; page++) {
    const query = [...(list.query ?? []), ['pageNumber', String(page)], ['pageSize', String(PAGE_SIZE)]] as const
    const call = { method: 'GET', path: list.path, query, repeatable: true, signal: list.signal } as const
    const { things, more } = await caller.json(call, (body) => readPage(body, page, list.read))
    const before = found.size
    for (const thing of things) found.set(thing.id, thing)
    if (!more) return [...found.values()]
    if (found.size === before) throw endless(list.path, `repeats itself at page ${page}`)
  }
  throw endless(list.path, `has more than ${MAX_PAGES} pages`)
}

function readPage<T>(
  body: JsonObject,
  page: number,
  read: (entity: JsonObject) => T | null,
): { readonly things: readonly T[]; readonly more: boolean } {
  const entities = listAt(body, 'entities')
  return { things: readAll(entities, read), more: hasMore(body, entities.length, page) }
}

/** The entities that can be read; `Unreadable` when there are some and none can. */
export function readAll<T>(entities: readonly unknown[], read: (entity: JsonObject) => T | null): readonly T[] {
  const things = entities
    .filter(isObject)
    .map(read)
    .filter((thing) => thing !== null)
  if (entities.length > 0 && things.length === 0) throw new Unreadable('a list of things of another shape')
  return things
}

function hasMore(body: JsonObject, entities: number, page: number): boolean {
  if (entities === 0) return false
  const pages = wholeNumberAt(body, 'pageCount')
  if (pages !== null) return page < pages
  return textAt(body, 'nextUri') !== null || entities >= (wholeNumberAt(body, 'pageSize') ?? PAGE_SIZE)
}

export function endless(path: string, what: string): GenesysError {
  return new GenesysError(
    'genesys.paging',
    `The list at ${path} ${what}; it is not taken as whole.`,
    'Try again later; give Genesys support the time of the call.',
  )
}

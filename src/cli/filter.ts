/**
 * What a person means by the filters of events: topics as lists show them, queues and agents by name or id. A name is looked up in the
 * directory of the service; one that nothing has is never answered with an empty list: it is most likely misspelt.
 */
import { isId } from '../config/names.ts'
import { nearestNames } from '../config/nearest.ts'
import { TrunklineError } from '../errors.ts'
import type { Client, Query } from './client.ts'
import { problemOf, usageError } from './failure.ts'
import type { EventFilter } from './options.ts'
import { listOf, numberOf, textOf } from './read.ts'
import { topicAsked } from './topic.ts'

export type Asked = {
  /** What to ask the service for. */
  readonly query: Query
  /** Says what of it there is not; null where there is all of it. */
  readonly unknown: TrunklineError | null
}

/** The filters as the service takes them. */
export async function filterAsked(client: Client, filter: EventFilter, signal: AbortSignal): Promise<Asked> {
  const { conversation, route, outcome } = filter
  const topic = await topicAsked(client, filter.topic, signal)
  const queue = await idAsked(client, 'queues', filter.queue, signal)
  const agent = await idAsked(client, 'users', filter.agent, signal)
  return {
    query: { topic: topic.topic, conversation, queue: queue.id, agent: agent.id, route, outcome },
    unknown: topic.unknown ?? queue.unknown ?? agent.unknown,
  }
}

export type AskedId = {
  /** The id; what was typed where nothing fits. */
  readonly id: string | undefined
  readonly unknown: TrunklineError | null
}

type Kind = 'queues' | 'users'

const NOUNS: Readonly<Record<Kind, string>> = { queues: 'queue', users: 'agent' }

/** The id of a queue or an agent that is named or given by its id. */
export async function idAsked(client: Client, kind: Kind, text: string | undefined, signal: AbortSignal): Promise<AskedId> {
  if (text === undefined || isId(text)) return { id: text, unknown: null }
  const page = await namesOf(client, kind, text, signal)
  const unknown = (why: string, hint: string): AskedId => ({
    id: text,
    unknown: new TrunklineError('directory.name_unknown', `${JSON.stringify(text.slice(0, 100))} is no known id, and ${why}.`, hint),
  })
  if (page === null)
    return unknown(
      `names of ${kind} are not known without an OAuth client`,
      'Give an id, or set genesys.clientId and genesys.clientSecret.',
    )
  const named = listOf(page, 'names').filter((one) => textOf(one, 'name') === text)
  if (named.length > 1) {
    const ids = named.slice(0, 10).map((one) => textOf(one, 'id'))
    throw usageError(
      `${named.length} ${kind} have the name ${JSON.stringify(text.slice(0, 100))}.`,
      `Give the id of one: ${ids.join(', ')}.`,
    )
  }
  const found = named[0] ?? listOf(page, 'names').find((one) => textOf(one, 'id') === text)
  if (found !== undefined) return { id: textOf(found, 'id') ?? text, unknown: null }
  if (numberOf(page, 'loadedAtMs') === null)
    return unknown('the names of Genesys Cloud have not been read yet', 'trunkline genesys status says how that goes; or give an id.')
  const all = listOf(await namesOf(client, kind, undefined, signal), 'names').flatMap((one) => textOf(one, 'name') ?? [])
  const nearest = nearestNames(text, all, 3).map((name) => JSON.stringify(name))
  return unknown(`no ${NOUNS[kind]} has this name`, nearest.length === 0 ? 'Give an id.' : `The nearest are ${nearest.join(', ')}.`)
}

/** A page of the directory; null where the service has none. */
async function namesOf(client: Client, kind: Kind, q: string | undefined, signal: AbortSignal): Promise<unknown> {
  try {
    return await client.get(`/v1/directory/${kind}`, { q, limit: 10_000 }, signal)
  } catch (error) {
    if (problemOf(error).code === 'directory.not_configured') return null
    throw error
  }
}

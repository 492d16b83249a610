/**
 * Where the body of an event says which queue, medium and division it is about, topic by topic. From the shipped
 * schemas (carried.ts is generated from them) and from what the ids in a topic's name stand for; a topic that neither says anything of
 * carries none as far as is known.
 */
import { topicIdsOf } from '../event/entities.ts'
import { CARRIED } from './generated/carried.ts'

export type Facet = 'queue' | 'mediaType' | 'division'

/** Where it is: a path below the envelope, or an `{id}` of the topic's name. */
export type Carrier = { readonly path: string } | { readonly id: number }

/** Where a topic carries a facet; null when it carries none. */
export function carrierOf(topic: string, facet: Facet): Carrier | null {
  if (facet === 'queue') {
    const id = topicIdsOf(topic).params.indexOf('queue')
    if (id >= 0) return { id }
  }
  const path = CARRIED[facet].find(({ topics }) => topics.includes(topic))?.path
  return path === undefined ? null : { path: `detail.eventBody.${path}` }
}

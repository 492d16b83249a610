/** `GET notifications/availabletopics`: every documented topic, with the shipped schema of its body where there is one. */
import { readdirSync, readFileSync } from 'node:fs'
import { KNOWN_TOPICS } from '../../event/known-topics.ts'
import type { Route } from './router.ts'

export function availableTopicsRoute(forbidden: Readonly<Record<string, string>>): Route {
  let schemas: ReadonlyMap<string, object> | null = null
  return {
    method: 'GET',
    path: '/api/v2/notifications/availabletopics',
    answer: ({ query }) => {
      const expand = new Set(query.getAll('expand').flatMap((text) => text.split(',')))
      if (expand.has('schema')) schemas ??= shippedSchemas()
      const entities = KNOWN_TOPICS.map((id) => {
        const schema = expand.has('schema') ? schemas?.get(id) : undefined
        const parts: Readonly<Record<string, unknown>> = {
          description: `Events of ${id}`,
          schema,
          transports: ['All'],
          visibility: 'Public',
          enforced: false,
          requiresPermissions: Object.hasOwn(forbidden, id) ? [forbidden[id]] : [],
          requiresDivisionPermissions: false,
          requiresCurrentUser: false,
          topicParameters: [...id.matchAll(/\{id\}/g)].map((_, index) => (index === 0 ? 'id' : `id${index + 1}`)),
        }
        return { id, ...Object.fromEntries(Object.entries(parts).filter(([key, value]) => expand.has(key) && value !== undefined)) }
      })
      return { status: 200, body: { entities } }
    },
  }
}

/** Topic -> schema, from the files beside the registry; none when they are not there. */
function shippedSchemas(): ReadonlyMap<string, object> {
  const folder = new URL('../../schema/genesys/', import.meta.url)
  try {
    const files = readdirSync(folder).filter((name) => name.endsWith('.schema.json'))
    return new Map(
      files.map((name): [string, object] => {
        const schema = JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Readonly<Record<string, unknown>>
        return [String(schema['x-genesys-topic']), schema]
      }),
    )
  } catch {
    return new Map()
  }
}

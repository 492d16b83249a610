/** The directory calls: organization, divisions, queues, users, wrap-up codes, flows, as the simulated centre has them. */
import type { Centre, CentreNamed, Simulation, UserNow } from '../simulation.ts'
import { page } from './answer.ts'
import type { Route } from './router.ts'

export function directoryRoutes(simulation: Pick<Simulation, 'centre' | 'user'>, maxPageSize: number): readonly Route[] {
  const { centre } = simulation
  const named = new Map(centre.divisions.map((division) => [division.id, division]))
  const division = (id: string): object => ({ ...(named.get(id) ?? { id }), selfUri: `/api/v2/authorization/divisions/${id}` })
  const list = (path: string, entities: readonly CentreNamed[], shape: (entity: never, query: URLSearchParams) => object): Route => ({
    method: 'GET',
    path,
    answer: ({ query }) =>
      page(
        path,
        query,
        entities.filter(filterOf(query)).map((entity) => shaped(path, entity, (one) => shape(one, query))),
        maxPageSize,
      ),
  })
  return [
    { method: 'GET', path: '/api/v2/organizations/me', answer: () => ({ status: 200, body: organizationOf(centre) }) },
    list('/api/v2/authorization/divisions', centre.divisions, (entity: CentreNamed) => ({ homeDivision: entity === centre.divisions[0] })),
    list('/api/v2/routing/queues', centre.queues, (entity: Centre['queues'][number]) => ({
      division: division(entity.divisionId),
      mediaSettings: { call: { alertingTimeoutSeconds: 30, serviceLevel: entity.serviceTarget } },
      acwSettings: { wrapupPrompt: 'MANDATORY_TIMEOUT', timeoutMs: 60_000 },
      memberCount: centre.users.filter(({ queueIds }) => queueIds.includes(entity.id)).length,
    })),
    list('/api/v2/users', centre.users, (entity: Centre['users'][number], query) => ({
      division: division(entity.divisionId),
      email: entity.email,
      username: entity.email,
      state: 'active',
      version: 1,
      ...expanded(simulation.user(entity.id), query.getAll('expand')),
    })),
    list('/api/v2/routing/wrapupcodes', centre.wrapupCodes, () => ({})),
    list('/api/v2/flows', centre.flows, (entity: Centre['flows'][number]) => ({
      type: entity.type.toLowerCase(),
      active: true,
      deleted: false,
    })),
  ]
}

function shaped(path: string, entity: CentreNamed, shape: (entity: never) => object): object {
  return { id: entity.id, name: entity.name, ...shape(entity as never), selfUri: `${path}/${entity.id}` }
}

/** Of a user what `expand` asks for. The API does not write presences as events do. */
function expanded(now: UserNow | null, wanted: readonly string[]): object {
  if (now === null) return {}
  const { presence, presenceDefinitionId, presenceSinceMs, routingStatus, routingStatusSinceMs } = now
  const systemPresence = presence
    .toLowerCase()
    .replace(/_/g, ' ')
    .replace(/\b[a-z]/g, (letter) => letter.toUpperCase())
  return {
    ...(wanted.includes('presence')
      ? {
          presence: {
            source: 'PURECLOUD',
            primary: true,
            presenceDefinition: { id: presenceDefinitionId, systemPresence },
            message: '',
            modifiedDate: new Date(presenceSinceMs).toISOString(),
          },
        }
      : {}),
    ...(wanted.includes('routingStatus')
      ? { routingStatus: { status: routingStatus, startTime: new Date(routingStatusSinceMs).toISOString() } }
      : {}),
  }
}

function organizationOf({ organization }: Centre): object {
  return {
    id: organization.id,
    name: organization.name,
    domain: organization.name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-'),
    defaultLanguage: 'en-US',
    state: 'active',
    version: 1,
    selfUri: `/api/v2/organizations/${organization.id}`,
  }
}

/** `name` with a `*` at its ends, `id` and `divisionId`, which may be repeated. */
function filterOf(query: URLSearchParams): (entity: CentreNamed & { readonly divisionId?: string }) => boolean {
  const name = query.get('name')?.toLowerCase() ?? null
  const ids = query.getAll('id')
  const divisionIds = query.getAll('divisionId')
  return (entity) =>
    (name === null || nameFits(name, entity.name.toLowerCase())) &&
    (ids.length === 0 || ids.includes(entity.id)) &&
    (divisionIds.length === 0 || entity.divisionId === undefined || divisionIds.includes(entity.divisionId))
}

function nameFits(wanted: string, name: string): boolean {
  const bare = wanted.replace(/^\*/, '').replace(/\*$/, '')
  if (wanted.startsWith('*')) return wanted.endsWith('*') ? name.includes(bare) : name.endsWith(bare)
  return wanted.endsWith('*') ? name.startsWith(bare) : name === bare
}

/**
 * Integrations, as far as provisioning an `amazon-eventbridge-source` needs them: create, configure under an optimistic
 * `version`, switch on, and look at the reported state, which takes its time and tells of a missing configuration.
 */
import type { Clock } from '../../pipeline/clock.ts'
import { badRequest, NOT_FOUND, objectOf, page, problem, type Answer, type Call } from './answer.ts'
import type { Route } from './router.ts'

type Config = {
  readonly name: string
  readonly version: number
  readonly properties: Readonly<Record<string, unknown>>
  readonly advanced: Readonly<Record<string, unknown>>
  readonly credentials: Readonly<Record<string, unknown>>
  readonly notes: string
}

type Integration = { readonly id: string; readonly typeId: string; config: Config; intendedState: State; changedAtMs: number }

type State = (typeof STATES)[number]

export function integrationRoutes(clock: Clock, newId: () => string): readonly Route[] {
  const integrations = new Map<string, Integration>()
  const one =
    (answer: (integration: Integration, call: Call) => Answer) =>
    (call: Call): Answer => {
      const integration = integrations.get(call.params[0]!)
      return integration === undefined ? NOT_FOUND : answer(integration, call)
    }
  const shown = (integration: Integration): Answer => ({ status: 200, body: bodyOf(integration, clock.nowMs()) })
  const config = (integration: Integration): Answer => ({ status: 200, body: { id: integration.id, ...integration.config } })
  return [
    {
      method: 'GET',
      path: ROOT,
      answer: ({ query }) =>
        page(
          ROOT,
          query,
          [...integrations.values()].map((integration) => bodyOf(integration, clock.nowMs())),
          100,
        ),
    },
    {
      method: 'POST',
      path: ROOT,
      answer: ({ body }) => {
        const given = objectOf(body)
        const typeId = objectOf(given?.['integrationType'])?.['id']
        if (typeof typeId !== 'string' || !TYPES.has(typeId)) return badRequest('integrationType.id is missing, or no such type exists.')
        if (integrations.size >= MAX_INTEGRATIONS) return problem(409, 'limit.exceeded', `No more than ${MAX_INTEGRATIONS} integrations.`)
        const name = typeof given?.['name'] === 'string' ? given['name'] : typeId
        const integration: Integration = {
          id: newId(),
          typeId,
          config: { name, version: 1, properties: {}, advanced: {}, credentials: {}, notes: '' },
          intendedState: 'DISABLED',
          changedAtMs: clock.nowMs(),
        }
        integrations.set(integration.id, integration)
        return shown(integration)
      },
    },
    { method: 'GET', path: `${ROOT}/{id}`, answer: one(shown) },
    {
      method: 'PATCH',
      path: `${ROOT}/{id}`,
      answer: one((integration, { body }) => {
        const state = STATES.find((known) => known === objectOf(body)?.['intendedState'])
        if (state === undefined) return badRequest(`intendedState must be one of ${STATES.join(', ')}.`)
        integration.intendedState = state
        integration.changedAtMs = clock.nowMs()
        return shown(integration)
      }),
    },
    {
      method: 'DELETE',
      path: `${ROOT}/{id}`,
      answer: one((integration) => {
        integrations.delete(integration.id)
        return shown(integration)
      }),
    },
    { method: 'GET', path: `${ROOT}/{id}/config/current`, answer: one(config) },
    {
      method: 'PUT',
      path: `${ROOT}/{id}/config/current`,
      answer: one((integration, { body }) => {
        const given = objectOf(body)
        if (given === null) return badRequest('A configuration is needed.')
        if (given['version'] !== integration.config.version)
          return problem(
            409,
            'general.conflict',
            `version must be ${integration.config.version}, that of the configuration to be replaced.`,
          )
        const properties = objectOf(given['properties']) ?? {}
        const wrong = integration.typeId === EVENTBRIDGE ? wrongProperty(properties) : null
        if (wrong !== null) return badRequest(wrong)
        integration.config = {
          name: typeof given['name'] === 'string' ? given['name'] : integration.config.name,
          version: integration.config.version + 1,
          properties,
          advanced: objectOf(given['advanced']) ?? {},
          credentials: objectOf(given['credentials']) ?? {},
          notes: typeof given['notes'] === 'string' ? given['notes'] : '',
        }
        integration.changedAtMs = clock.nowMs()
        return config(integration)
      }),
    },
    {
      method: 'GET',
      path: `${ROOT}/types/{id}/configschemas/properties`,
      answer: ({ params }) => (params[0] === EVENTBRIDGE ? { status: 200, body: PROPERTIES } : NOT_FOUND),
    },
  ]
}

const ROOT = '/api/v2/integrations'
const EVENTBRIDGE = 'amazon-eventbridge-source'
const TYPES: ReadonlySet<string> = new Set([EVENTBRIDGE, 'webhook'])
const STATES = ['ENABLED', 'DISABLED', 'DELETED', 'RESTORED'] as const
const MAX_INTEGRATIONS = 100
/** How long switching on takes. */
const ACTIVATION_MS = 10_000
const SUFFIX = /^[A-Za-z0-9._-]{1,64}$/

const PROPERTIES = {
  $schema: 'http://json-schema.org/draft-04/schema#',
  title: 'Amazon EventBridge Source Configuration',
  type: 'object',
  required: ['awsAccountId', 'awsAccountRegion', 'eventSourceSuffix', 'eventFilter'],
  properties: {
    awsAccountId: { type: 'string', pattern: '^\\d{12}$' },
    awsAccountRegion: { type: 'string' },
    eventSourceSuffix: { type: 'string', pattern: SUFFIX.source },
    eventFilter: { type: 'array', items: { type: 'string' } },
  },
} as const

function wrongProperty(properties: Readonly<Record<string, unknown>>): string | null {
  const { awsAccountId, awsAccountRegion, eventSourceSuffix, eventFilter } = properties
  if (typeof awsAccountId !== 'string' || !/^\d{12}$/.test(awsAccountId)) return 'properties.awsAccountId must have 12 digits.'
  if (typeof awsAccountRegion !== 'string' || !/^[a-z]{2}(-[a-z]+)+-\d$/.test(awsAccountRegion))
    return 'properties.awsAccountRegion is no region.'
  if (typeof eventSourceSuffix !== 'string' || !SUFFIX.test(eventSourceSuffix))
    return 'properties.eventSourceSuffix must be 1 to 64 letters, digits, dots, underscores or hyphens.'
  if (!Array.isArray(eventFilter) || !eventFilter.every((topic) => typeof topic === 'string' && topic.startsWith('v2.')))
    return 'properties.eventFilter must be a list of topics.'
  return null
}

function bodyOf(integration: Integration, nowMs: number): object {
  const { id, typeId, config, intendedState, changedAtMs } = integration
  return {
    id,
    name: config.name,
    integrationType: { id: typeId },
    notes: config.notes,
    intendedState,
    config: { current: { id, version: config.version } },
    reportedState: { ...reportedOf(integration, nowMs), lastUpdated: new Date(changedAtMs).toISOString() },
    selfUri: `${ROOT}/${id}`,
  }
}

function reportedOf(
  { typeId, config, intendedState, changedAtMs }: Integration,
  nowMs: number,
): { code: string; detail?: { message: string } } {
  if (intendedState !== 'ENABLED') return { code: 'INACTIVE' }
  if (typeId === EVENTBRIDGE && wrongProperty(config.properties) !== null)
    return { code: 'ERROR', detail: { message: 'The configuration is not complete.' } }
  return { code: nowMs - changedAtMs < ACTIVATION_MS ? 'ACTIVATING' : 'ACTIVE' }
}

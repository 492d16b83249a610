/**
 * Integrations: what connects Genesys Cloud with other systems, such as `amazon-eventbridge-source`. Creating one and
 * writing its configuration are never repeated on their own: a second one, or a version conflict with oneself, would be worse.
 */
import { segment, type Caller } from '../caller.ts'
import { allPages } from '../paging.ts'
import { objectAt, required, textAt, wholeNumberAt, type JsonObject } from '../reading.ts'

export type IntegrationState = 'ENABLED' | 'DISABLED' | 'DELETED'

export type Integration = {
  readonly id: string
  readonly name: string
  /** `amazon-eventbridge-source` */
  readonly typeId: string | null
  readonly intendedState: string | null
  /** What Genesys says of it: `ACTIVE`, `ACTIVATING`, `INACTIVE`, `DEACTIVATING`, `ERROR`; null when it does not. */
  readonly reportedState: string | null
  readonly reportedDetail: string | null
  readonly reportedAt: string | null
}

export type IntegrationConfig = {
  readonly name: string
  /** Lock: a write must name the version it read. */
  readonly version: number
  readonly properties: Readonly<Record<string, unknown>>
  readonly advanced: Readonly<Record<string, unknown>>
  readonly notes: string
  readonly credentials: Readonly<Record<string, unknown>>
}

export interface Integrations {
  list(signal?: AbortSignal): Promise<readonly Integration[]>
  /** Null when there is none. */
  get(id: string, signal?: AbortSignal): Promise<Integration | null>
  create(typeId: string, name: string, signal?: AbortSignal): Promise<Integration>
  config(id: string, signal?: AbortSignal): Promise<IntegrationConfig>
  /** Writes the configuration over the version it names; `genesys.conflict` when that is no longer the current one. */
  putConfig(id: string, config: IntegrationConfig, signal?: AbortSignal): Promise<IntegrationConfig>
  setState(id: string, state: IntegrationState, signal?: AbortSignal): Promise<Integration>
}

const PATH = '/api/v2/integrations'

export function integrationsOf(caller: Caller): Integrations {
  return {
    list: (signal) => allPages(caller, { path: PATH, read: integrationOf, signal }),
    get: async (id, signal) =>
      caller.jsonOrNull({ method: 'GET', path: `${PATH}/${segment(id)}`, repeatable: true, signal }, readIntegration),
    create: (typeId, name, signal) => {
      const body = { name, integrationType: { id: typeId } }
      return caller.json({ method: 'POST', path: PATH, body, repeatable: false, signal }, readIntegration)
    },
    config: async (id, signal) => caller.json({ method: 'GET', path: configPath(id), repeatable: true, signal }, readConfig),
    putConfig: async (id, config, signal) =>
      caller.json({ method: 'PUT', path: configPath(id), body: config, repeatable: false, signal }, readConfig),
    setState: async (id, state, signal) => {
      const body = { intendedState: state }
      return caller.json({ method: 'PATCH', path: `${PATH}/${segment(id)}`, body, repeatable: true, signal }, readIntegration)
    },
  }
}

const configPath = (id: string): string => `${PATH}/${segment(id)}/config/current`

const readIntegration = (body: JsonObject): Integration => required(integrationOf(body), 'an integration without an id')

function integrationOf(body: JsonObject): Integration | null {
  const id = textAt(body, 'id', 300)
  if (id === null) return null
  const type = objectAt(body, 'integrationType')
  const reported = objectAt(body, 'reportedState')
  const detail = reported === null ? null : objectAt(reported, 'detail')
  return {
    id,
    name: textAt(body, 'name') ?? '',
    typeId: type === null ? null : textAt(type, 'id'),
    intendedState: textAt(body, 'intendedState'),
    reportedState: reported === null ? null : textAt(reported, 'code'),
    reportedDetail: detail === null ? null : textAt(detail, 'message'),
    reportedAt: reported === null ? null : textAt(reported, 'lastUpdated'),
  }
}

function readConfig(body: JsonObject): IntegrationConfig {
  return {
    name: textAt(body, 'name') ?? '',
    version: required(wholeNumberAt(body, 'version'), 'a configuration without a version'),
    properties: required(objectAt(body, 'properties'), 'a configuration without properties'),
    advanced: objectAt(body, 'advanced') ?? {},
    notes: textAt(body, 'notes', 100_000) ?? '',
    credentials: objectAt(body, 'credentials') ?? {},
  }
}

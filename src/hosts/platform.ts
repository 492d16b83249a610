/**
 * From the configuration to a client of the Platform API. Says everything that is missing at once, and nothing of what is
 * there: id and secret are for the login alone.
 */
import { TrunklineError } from '../errors.ts'
import { platformClient, type PlatformClient } from '../genesys/platform-client.ts'
import { hostsAt, hostsOf, regionOf } from '../genesys/regions.ts'
import type { Clock } from '../pipeline/clock.ts'
import { VERSION } from './version.ts'

/** The part of the configuration that the API is reached with. */
export type PlatformSettings = {
  readonly region: string | null
  /** Stands for login and API of the region: a simulated platform, or a proxy. */
  readonly baseUrl: string | null
  readonly clientId: string | null
  readonly clientSecret: string | null
}

export type PlatformDeps = {
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  readonly fetch: typeof fetch
  /** Ends every call under way and all that follow. */
  readonly signal?: AbortSignal
}

/** The client; one for a process, as all its callers share one rate budget. Throws `genesys.not_configured`, `genesys.region_unknown` or `genesys.base_url`. */
export function platformOf(settings: PlatformSettings, deps: PlatformDeps): PlatformClient {
  const { region, baseUrl, clientId, clientSecret } = settings
  const missing = missingOf(settings)
  if (missing.length > 0 || clientId === null || clientSecret === null)
    throw new TrunklineError(
      'genesys.not_configured',
      `The Platform API of Genesys Cloud cannot be called: ${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not set.`,
      'Create an OAuth client with the grant Client Credentials (Admin > Integrations > OAuth) and set these options; secrets may be "env:NAME" or "file:PATH".',
    )
  const hosts = baseUrl === null ? hostsOf(regionOf(region ?? '')) : hostsAt(baseUrl)
  return platformClient({ ...deps, hosts, clientId, clientSecret, userAgent: `trunkline/${VERSION}` })
}

/** Options that are missing for a client, by their names in the configuration. */
function missingOf({ region, baseUrl, clientId, clientSecret }: PlatformSettings): string[] {
  return [
    ...(region === null && baseUrl === null ? ['genesys.region'] : []),
    ...(clientId === null ? ['genesys.clientId'] : []),
    ...(clientSecret === null ? ['genesys.clientSecret'] : []),
  ]
}

/** Where the calls to Genesys Cloud go, for people: the base URL, or the region. Null when the configuration says neither. */
import type { Config } from '../config/config.ts'

export async function placeOf({ genesys }: Config): Promise<string | null> {
  if (genesys.baseUrl !== null) return new URL(genesys.baseUrl).origin
  if (genesys.region === null) return null
  const { regionOf } = await import('../genesys/regions.ts')
  const { aws, domain } = regionOf(genesys.region)
  return `${domain} (${aws})`
}

/** A client of the Platform API by the configuration, for verbs that ask Genesys Cloud themselves. */
import type { Platform } from '../genesys/platform.ts'
import type { Context } from './context.ts'
import { configOf } from './loading.ts'

/** Null after what is wrong with the configuration was printed; rejects with a coded error when no OAuth client is configured. */
export async function connect(context: Context, options: { readonly config?: string }): Promise<Platform | null> {
  const config = await configOf(context, options)
  if (config === null) return null
  const { platformOf } = await import('../hosts/platform.ts')
  return platformOf(config.genesys, { clock: context.io.clock, random: Math.random, fetch, signal: context.signal })
}

/** Pauses routes as their flags say. */
import type { Config } from '../config/config.ts'
import type { Flags } from '../flags/flags.ts'
import type { Route } from '../routes/route.ts'

/** A route's pause is what its flag says, else what the configuration says; now and whenever the flag changes. */
export function pauseByFlags(flags: Flags, config: Config, routes: ReadonlyMap<string, Route>): void {
  const apply = (name: string): void => {
    const route = routes.get(name)
    const configured = config.routes.find((r) => r.name === name)?.paused ?? false
    const flag = flags.get({ flag: 'route.paused', route: name })
    if (route !== undefined) route.paused = flag === null ? configured : flag === true
  }
  for (const name of routes.keys()) apply(name)
  flags.onChange((change) => {
    if (change.flag === 'route.paused') apply(change.route)
  })
}

/** What an operator must know about the state that a start found, and about a stop that takes its time. */
import type { Logger } from 'pino'
import { TrunklineError } from '../errors.ts'
import type { Log } from '../log/log.ts'
import type { Clock } from '../pipeline/clock.ts'
import type { Ledger } from '../routes/ledger.ts'
import { Progress } from '../routes/progress.ts'
import type { Route } from '../routes/route.ts'

/** Says what opening the log cut or skipped. */
export function reportRecovery(log: Log, logger: Logger): void {
  const { tornBytes, damagedRecords, damagedBytes } = log.recovery
  if (tornBytes > 0)
    logger.warn(
      { code: 'log.torn_tail', bytes: tornBytes },
      'the log ended in a torn record (never acknowledged); it was cut and kept under damaged/',
    )
  if (damagedRecords > 0 || damagedBytes > 0)
    logger.error(
      { code: 'log.damaged', records: damagedRecords, bytes: damagedBytes },
      'records of the log are damaged or missing and were skipped; run `trunkline fsck`',
    )
}

/** Events of a route that was taken out of the configuration (or renamed) wait for nobody: the operator must know. */
export function warnOfLeftRoutes(
  ledger: Ledger,
  routes: ReadonlyMap<string, unknown>,
  log: Pick<Log, 'events'>,
  logger: Pick<Logger, 'warn'>,
): void {
  const dead = ledger.deadLetters()
  for (const name of ledger.routeNames()) {
    const state = routes.has(name) ? null : ledger.route(name)
    if (state === null) continue
    const { nextSeq, firstSeq } = log.events
    const held = Number(ledger.get('SELECT count(*) AS n FROM held WHERE route = ?', name)?.['n'] ?? 0)
    const open = new Progress(state.position, state.above).unsettled(firstSeq, nextSeq - 1)
    const unsettled = open.reduce((sum, [from, to]) => sum + to - from + 1, 0) + state.pending.length + held
    const letters = dead.get(name) ?? 0
    if (unsettled + letters > 0)
      logger.warn(
        { code: 'route.not_configured', route: name, unsettled, deadLetters: letters },
        'a route that ran here is not in the configuration: its events are kept only as long as the other routes need them',
      )
  }
}

/** Says once what a stop is waiting for, unless it is over (`signal`) within two seconds. */
export async function reportSlowStop(stop: {
  readonly routes: ReadonlyMap<string, Pick<Route, 'status'>>
  readonly logger: Pick<Logger, 'info'>
  readonly clock: Clock
  readonly signal: AbortSignal
}): Promise<void> {
  await stop.clock.wait(SLOW_STOP_MS, stop.signal)
  if (stop.signal.aborted) return
  const busy = [...stop.routes].filter(([, route]) => route.status().inFlight > 0).map(([name]) => name)
  const what = busy.length === 0 ? 'what it had begun' : `deliveries under way of ${busy.join(', ')}; those not done in time are made again`
  stop.logger.info({ code: 'service.stopping', routes: busy }, `still stopping: waits for ${what}`)
}

const SLOW_STOP_MS = 2_000

/** A full log is some route's doing: say which. */
export function explainFull(error: TrunklineError, routes: ReadonlyMap<string, Route>): TrunklineError {
  if (error.code !== 'log.full') return error
  const slowest = [...routes.values()].sort((a, b) => a.neededSeq - b.neededSeq)[0]
  if (slowest === undefined) return error
  return new TrunklineError(error.code, `${error.message}: route ${slowest.name} has ${slowest.status().lag} events to go`, error.hint)
}

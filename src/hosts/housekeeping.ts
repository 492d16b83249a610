/** What the service does beside its traffic: backlog policies, releasing settled records to retention, warnings. */
import type { Logger } from 'pino'
import type { Config } from '../config/config.ts'
import { COLUMN, COLUMN_COUNT } from '../log/columns.ts'
import type { Log } from '../log/log.ts'
import type { Ledger } from '../routes/ledger.ts'
import type { Route } from '../routes/route.ts'
import { systemClock } from './clock.ts'
import type { StateKeeper } from './state-keeper.ts'

const HOUSEKEEPING_MS = 1_000
const WARN_AT = 0.8

/** Once a second, until the signal aborts: backlog policies, what retention may take, warnings. */
export async function housekeep(o: {
  config: Config
  log: Log
  ledger: Ledger
  routes: ReadonlyMap<string, Route>
  /** Null where no state is kept. */
  state: StateKeeper | null
  logger: Logger
  signal: AbortSignal
}): Promise<void> {
  const { config, log, ledger, logger, signal } = o
  let warned = false
  let forgotten = 0
  let released = 0
  for (;;) {
    await expireBacklogs(o)
    released = releaseSettled(o, released)
    const full = log.totalBytes / config.log.maxBytes
    if (full >= WARN_AT && !warned)
      logger.warn(
        { code: 'log.nearly_full', bytes: log.totalBytes, maxBytes: config.log.maxBytes },
        'the log has reached 80 % of log.maxBytes; settled events are deleted first',
      )
    warned = full >= WARN_AT
    if (log.events.firstSeq > forgotten) {
      forgotten = log.events.firstSeq
      try {
        ledger.forgetBefore(forgotten)
      } catch (error) {
        logger.warn({ code: 'ledger.busy' }, (error as Error).message)
      }
    }
    await systemClock.wait(HOUSEKEEPING_MS, signal)
    if (signal.aborted) return
  }
}

type Releasing = {
  readonly config: Config
  readonly log: Log
  readonly ledger: Ledger
  readonly routes: ReadonlyMap<string, Route>
  readonly state: StateKeeper | null
  readonly logger: Logger
}

/**
 * Tells the log what every route has settled and the state has stored. Where that frees a whole segment, ledger and state go to
 * disk first: after a power cut they must not be older than what retention has taken.
 */
function releaseSettled(o: Releasing, released: number): number {
  const { log, ledger, routes, state, logger } = o
  const settled = Math.min(log.events.nextSeq, ...[...routes.values()].map((r) => r.neededSeq), state?.storedSeq ?? Infinity)
  try {
    if (state !== null && wantsNewBase(o, state, settled)) state.rebase()
    const needed = Math.min(settled, state?.neededSeq ?? Infinity)
    if (needed !== released && endOfOldest(log) <= needed) {
      ledger.sync()
      state?.sync()
    }
    log.release(needed)
    return needed
  } catch (error) {
    logger.warn({ code: 'ledger.not_synced' }, `nothing is released from the log: ${(error as Error).message}`)
    return released
  }
}

/** The base of the state moves as seldom as can be, so that a rebuild has much of the log to go by: when the oldest segment must soon go. */
function wantsNewBase({ config, log }: Releasing, state: StateKeeper, settled: number): boolean {
  const end = endOfOldest(log)
  if (end > settled || end <= state.neededSeq) return false
  const oldest = log.events.segments[0]
  return (
    log.totalBytes > config.log.maxBytes / 2 ||
    (oldest !== undefined && systemClock.nowMs() - oldest.maxReceivedAtMs > config.log.maxAgeMs / 2)
  )
}

/** First record after the oldest segment. */
function endOfOldest(log: Log): number {
  const oldest = log.events.segments[0]
  return oldest === undefined ? Infinity : oldest.firstSeq + oldest.count
}

async function expireBacklogs(o: { config: Config; log: Log; routes: ReadonlyMap<string, Route> }): Promise<void> {
  for (const { name, backlog } of o.config.routes) {
    const route = o.routes.get(name)
    if (backlog === null || route === undefined) continue
    const { log } = o
    if ('maxAgeMs' in backlog) {
      const oldest = systemClock.nowMs() - backlog.maxAgeMs
      const last = log.events.segments.findLast((s) => s.maxReceivedAtMs < oldest)
      if (last !== undefined) route.expireBefore(last.firstSeq + last.count)
      continue
    }
    route.expireBefore(await firstWithin(log, backlog.maxBytes, route.neededSeq))
  }
}

/** Lowest seq from which on the log holds at most `maxBytes`. Looks no further back than `fromSeq`: what is settled is no backlog. */
async function firstWithin(log: Log, maxBytes: number, fromSeq: number): Promise<number> {
  let left = maxBytes
  for (const segment of log.events.segments.toReversed()) {
    const end = segment.firstSeq + segment.count
    if (end <= fromSeq) return fromSeq
    if (segment.bytes <= left) {
      left -= segment.bytes
      continue
    }
    const words = await log.events.columns(segment)
    if (words === null) return segment.firstSeq
    for (let row = Math.max(0, fromSeq - segment.firstSeq); row < segment.count; row++)
      if ((words[row * COLUMN_COUNT + COLUMN.offset] ?? 0) >= segment.bytes - left) return segment.firstSeq + row
    return end
  }
  return fromSeq
}

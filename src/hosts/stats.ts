/** The answer of `GET /v1/stats`. */
import type { Config } from '../config/config.ts'
import type { Log } from '../log/log.ts'
import type { Ledger } from '../routes/ledger.ts'
import type { Route } from '../routes/route.ts'
import type { State } from '../state/state.ts'
import type { FinishedConversations } from './finished-conversations.ts'
import type { GapBook } from './gap-book.ts'
import type { Genesys } from './genesys.ts'
import type { Intake } from './intake.ts'
import type { LogFollower } from './log-follower.ts'
import type { RouteNames } from './route-names.ts'
import { VERSION } from './version.ts'

export function stats(o: {
  config: Config
  mode: string
  log: Log
  ledger: Ledger
  intake: Intake
  routes: ReadonlyMap<string, Route>
  follower: LogFollower
  gaps: GapBook
  /** Null where no state is kept. */
  state: State | null
  /** Null where no route asks for changes. */
  finished: FinishedConversations | null
  genesys: Genesys
  names: RouteNames
  startedAtMs: number
  nowMs: number
}): object {
  const { log, intake } = o
  const dead = o.ledger.deadLetters()
  return {
    version: VERSION,
    mode: o.mode,
    startedAtMs: o.startedAtMs,
    uptimeMs: o.nowMs - o.startedAtMs,
    rssBytes: process.memoryUsage.rss(),
    intake: { requests: intake.requests, refused: intake.refused, ...log.counters, pendingBytes: log.pendingBytes },
    log: {
      id: log.logId,
      firstSeq: log.events.firstSeq,
      nextSeq: log.events.nextSeq,
      bytes: log.totalBytes,
      maxBytes: o.config.log.maxBytes,
      recovery: log.recovery,
    },
    drift: { lagEvents: o.follower.lagEvents, unseenEvents: o.follower.unseenEvents },
    state: o.state === null ? null : { lagEvents: o.follower.lagEvents, newestAtMs: instantOf(o.state.newestAtMs), ...o.state.stats },
    changes: o.finished === null ? null : { told: o.finished.told, waiting: o.finished.waiting },
    gaps: { records: o.gaps.count, lostMs: o.gaps.lostMs, open: o.genesys.openGaps().length },
    sources: o.genesys.status(),
    quarantine: { records: Math.max(0, log.quarantine.nextSeq - log.quarantine.firstSeq) },
    routes: Object.fromEntries(
      [...o.routes].map(([name, route]) => [
        name,
        { ...route.status(), names: o.names.namesOf(name), deadLetters: dead.get(name) ?? 0, lastDeliveredAtMs: route.lastDeliveredAtMs },
      ]),
    ),
  }
}

/** Null while nothing has happened. */
const instantOf = (atMs: number): number | null => (Number.isFinite(atMs) ? atMs : null)

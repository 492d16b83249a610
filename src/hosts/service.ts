/**
 * The service: everything on one machine. Opens the data directory, the log and the routes, serves HTTP, and closes
 * them in the order that loses nothing. Thin: the work is in the rooms it connects.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Logger, pino } from 'pino'
import type { Config } from '../config/config.ts'
import { shownSink, shownTake } from '../config/print.ts'
import { TrunklineError } from '../errors.ts'
import { nearestTopics } from '../event/topics.ts'
import { Flags } from '../flags/flags.ts'
import { sqliteFlags } from '../flags/sqlite-flags.ts'
import { Log } from '../log/log.ts'
import { describeFindings } from '../pipeline/validate.ts'
import { Ledger } from '../routes/ledger.ts'
import type { Route } from '../routes/route.ts'
import { StateRows } from '../stores/state-rows.ts'
import { Access, hashToken, isLoopback, readOrMakeToken } from './access.ts'
import { api } from './api.ts'
import { systemClock } from './clock.ts'
import { type DataDir, takeDataDir } from './data-dir.ts'
import { directoryApi } from './directory-api.ts'
import { driftFold } from './drift-fold.ts'
import { changesFromSeq, FinishedConversations } from './finished-conversations.ts'
import { flagsApi } from './flags-api.ts'
import { GapBook } from './gap-book.ts'
import { gapsApi } from './gaps-api.ts'
import { Genesys } from './genesys.ts'
import { housekeep } from './housekeeping.ts'
import { Intake } from './intake.ts'
import { limiterDrops } from './limiter-drops.ts'
import { LimitsFile } from './limits-file.ts'
import { LogFollower } from './log-follower.ts'
import { metrics } from './metrics.ts'
import { openRoute } from './open-route.ts'
import { doubtsOf } from './match-doubts.ts'
import { page } from './page.ts'
import { pauseByFlags } from './pause.ts'
import { explainFull, reportRecovery, reportSlowStop, warnOfLeftRoutes } from './reports.ts'
import { RouteLimits } from './route-limits.ts'
import { RouteNames } from './route-names.ts'
import { playCalls } from './simulated-calls.ts'
import { reconcileApi } from './reconcile-api.ts'
import { Reconciler } from './reconcile.ts'
import { schemaApi } from './schema-api.ts'
import { createHttpServer, listen } from './server.ts'
import { GoalBook } from './service-goals.ts'
import { halfHourOf, stateApi } from './state-api.ts'
import { StateChanges } from './state-changes.ts'
import { StateKeeper } from './state-keeper.ts'
import { StateViews } from './state-views.ts'
import { stats } from './stats.ts'
import { Validation } from './validation.ts'
import { VERSION } from './version.ts'

export type ServiceOptions = {
  readonly config: Config
  readonly mode: 'dev' | 'start'
  /** Play a scripted call now and then (only in `dev`). */
  readonly simulate: boolean
  readonly env: Readonly<Record<string, string | undefined>>
  readonly logLevel?: string
  /** How long deliveries under way may take when the service stops, ms. */
  readonly drainMs?: number
  /** Known keys kept in memory before they are written out; the default suits everything but tests of that writing. */
  readonly keysInMemory?: number
}

export type Service = {
  /** Where it listens, e.g. `http://127.0.0.1:4680`. */
  readonly url: string
  /** File of the token, when it was made by this start. */
  readonly tokenFile: string | null
  /** Stops intake, drains, closes. Idempotent. */
  stop(): Promise<void>
  /** Resolves when stopped, rejects when the service had to give up. */
  readonly stopped: Promise<void>
}

/** Whoever stops `dev` is waiting for it. */
const DRAIN_MS = { dev: 1_000, start: 10_000 }

/** Starts the service; rejects with a coded error, having started nothing, when it must not run. */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { config, mode, env } = options
  const clock = systemClock
  const logger = pino(
    { level: options.logLevel ?? env['TRUNKLINE_LOG_LEVEL'] ?? 'info', base: null },
    pino.destination({ fd: 2, sync: true }),
  )
  // An empty variable is one nobody filled in, not a token of no letters.
  const given = env['TRUNKLINE_TOKEN'] === '' ? undefined : env['TRUNKLINE_TOKEN']
  if (mode === 'dev' && given === undefined && !isLoopback(config.http.host))
    throw new TrunklineError(
      'http.bind_refused',
      `${config.http.host} is not a loopback address and no token is set`,
      'Set TRUNKLINE_TOKEN, use `trunkline start` (which has a token), or listen on 127.0.0.1.',
    )

  const dataDir = takeDataDir(config.dataDir, clock.nowMs())
  const opened: (() => Promise<void> | void)[] = [() => dataDir.release()]
  try {
    return await run(options, logger, dataDir, given, opened)
  } catch (error) {
    for (const close of opened.toReversed()) await close()
    throw error
  }
}

async function run(
  options: ServiceOptions,
  logger: Logger,
  dataDir: DataDir,
  givenToken: string | undefined,
  opened: (() => Promise<void> | void)[],
): Promise<Service> {
  const { config, mode } = options
  const clock = systemClock
  const startedAtMs = clock.nowMs()
  const fatal = Promise.withResolvers<void>()
  fatal.promise.catch(() => undefined)

  const made = givenToken !== undefined || mode === 'dev' ? null : readOrMakeToken(config.dataDir)
  const tokenHash = givenToken !== undefined ? hashToken(givenToken) : (made?.hash ?? null)

  const ledgerFile = join(config.dataDir, 'ledger.db')
  const ledgerIsNew = !existsSync(ledgerFile)
  const ledger = new Ledger(ledgerFile)
  opened.push(() => ledger.close())
  const warn = (code: string, message: string): void => logger.warn({ code }, message)
  const stateRows = config.state.enabled ? new StateRows({ path: join(config.dataDir, 'state.db'), warn }) : null
  opened.push(() => stateRows?.close())
  const log = await Log.open({
    dataDir: config.dataDir,
    logId: dataDir.logId,
    segmentBytes: config.log.segmentBytes,
    maxBytes: config.log.maxBytes,
    maxAgeMs: config.log.maxAgeMs,
    minFreeBytes: config.log.minFreeBytes,
    quarantineMaxBytes: config.quarantine.maxBytes,
    dedupeWindowMs: config.dedupe.windowMs,
    maxBodyBytes: config.http.maxBodyBytes,
    orgId: config.genesys.orgId,
    minNextSeq: Math.max(ledger.seenThroughSeq() + 1, stateRows?.meta?.position ?? 1),
    ...(options.keysInMemory === undefined ? {} : { keysInMemory: options.keysInMemory }),
    onFatal: (error) => fatal.reject(error),
  })
  opened.push(() => log.close())
  reportRecovery(log, logger)
  if (ledgerIsNew && log.events.nextSeq > 1)
    logger.error(
      { code: 'data_dir.damaged', firstSeq: log.events.firstSeq, nextSeq: log.events.nextSeq },
      'the log holds events, but ledger.db was missing: progress and dead letters are gone, and each route begins anew as its `from` says',
    )

  const info = (message: string): void => logger.info(message)
  const flags = new Flags(sqliteFlags(ledger, warn))
  const validation = await Validation.open({ schemas: config.schemas, flags, warn })
  for (const { code, message, hint } of doubtsOf(config, validation.registry)) warn(code, `${message} ${hint}`)
  const gaps = new GapBook(ledger)
  const genesys = new Genesys({ config, log, ledger, gaps, warn, info })
  opened.push(() => genesys.stop())
  await genesys.startNames()
  const limitsFile = new LimitsFile(join(config.dataDir, 'limits.db'), warn)
  opened.push(() => limitsFile.close())
  const limits = new RouteLimits({ flags, ledger, clock, warn })
  const names = new RouteNames({ directory: genesys.directory, ledger, limits, clock, warn, info })
  const routes = new Map<string, Route>()
  for (const routeConfig of config.routes)
    routes.set(
      routeConfig.name,
      openRoute(routeConfig, {
        log,
        ledger,
        logger,
        validation,
        limits,
        names,
        limitStore: () => limitsFile.store,
        namesIn: genesys.namesIn,
      }),
    )
  pauseByFlags(flags, config, routes)
  limits.start(routes)
  names.start(routes)
  for (const route of routes.values()) {
    await route.start()
    opened.push(() => route.stop(0))
  }
  warnOfLeftRoutes(ledger, routes, log, logger)
  const stopping = new AbortController()
  const goals = new GoalBook(config, genesys.directory)
  const views = new StateViews(genesys.directory, goals)
  const fromSeq = changesFromSeq(config, ledger)
  const about = { config, log: log.events, serviceLevel: goals.levelOf, nowMs: clock.nowMs, warn, changesFromSeq: fromSeq }
  const keeper = stateRows === null ? null : new StateKeeper({ ...about, rows: stateRows })
  const follower = new LogFollower({
    log: log.events,
    folds: [driftFold({ ledger, validation, log: log.events, warn }), ...(keeper === null ? [] : [keeper])],
    clock,
    tickMs: () => performance.now(),
    warn,
    signal: stopping.signal,
  })
  const finished =
    keeper === null || stateRows === null || fromSeq === null
      ? null
      : new FinishedConversations({
          rows: stateRows.finishing,
          state: () => keeper.state,
          heardThroughMs: () => keeper.heardThroughMs(follower.positionOf(keeper)),
          heard: keeper.heard,
          horizonMs: config.state.horizonMs,
          append: (body, about) => log.append(body, about),
          clock,
          warn,
          info,
        })
  const unsubscribe = log.onCommitted(() => {
    for (const route of routes.values()) route.wake()
    follower.wake()
  })

  const kept =
    keeper === null
      ? null
      : {
          state: () => keeper.state,
          changes: new StateChanges({ state: () => keeper.state, views, clock, intervalOf: halfHourOf, signal: stopping.signal }),
          finished,
          rebuild: () => keeper.rebuild(follower, stopping.signal),
        }

  const reconciler = new Reconciler({ config, platform: genesys.background, keeper, follower, log, warn, info, signal: stopping.signal })

  let ready = true
  const intake = new Intake({
    log,
    maxBodyBytes: config.http.maxBodyBytes,
    nowMs: clock.nowMs,
    explain: (error) => explainFull(error, routes),
    warn: ({ code, message }) => logger.warn({ code }, `intake answers 503: ${message}`),
  })
  const url = { value: '' }
  const app = api({
    log,
    ledger,
    routes,
    nowMs: clock.nowMs,
    findings: (event) => describeFindings(validation.assess(event)),
    // A route that holds takes nothing away from intake.
    ready: () => ({ ok: ready, reasons: ready ? names.reasons() : ['stopping'] }),
    stats: () =>
      stats({
        config,
        mode,
        log,
        ledger,
        intake,
        routes,
        follower,
        gaps,
        state: keeper?.state ?? null,
        finished,
        genesys,
        names,
        startedAtMs,
        nowMs: clock.nowMs(),
      }),
    metrics: metrics({
      log,
      ledger,
      routes,
      intake,
      maxBytes: config.log.maxBytes,
      validation,
      follower,
      gaps,
      sources: genesys.sources,
      nowMs: clock.nowMs,
      state: kept,
      reconciler,
    }),
    page: () =>
      page({
        url: url.value,
        mode,
        tokenNeeded: tokenHash !== null,
        simulating: options.simulate,
        // The page needs no token, so where one is needed it does not tell where events go.
        routes: (tokenHash === null ? config.routes : []).map((r) => ({
          name: r.name,
          takes: shownTake(r),
          sink: shownSink(r.sink),
          paused: routes.get(r.name)?.paused === true,
          deadLetters: ledger.deadLetters().get(r.name) ?? 0,
        })),
        sources: tokenHash === null ? genesys.sources : [],
        accepted: log.counters.accepted,
      }),
  })
  flagsApi(app, {
    flags,
    subjects: {
      routes: [...routes.keys()],
      limitedBy: (route) => config.routes.find(({ name }) => name === route)?.limit?.per ?? null,
      keyNamed: (route, key) => names.keyNamed(route, key),
      versionsOf: (topic) => validation.registry.versions(topic).map(({ version }) => version),
      nearestTopics: (topic) => (validation.knows(topic) ? [] : nearestTopics(topic, 3)),
    },
    keyTold: (route, key) => names.keyTold(route, key),
    nowMs: clock.nowMs,
  })
  gapsApi(app, gaps, () => genesys.openGaps())
  stateApi(app, {
    kept,
    lagEvents: () => follower.lagEvents,
    views,
    limiterDrops: () => limiterDrops(config.routes, routes),
    nowMs: clock.nowMs,
  })
  schemaApi(app, {
    registry: validation.registry,
    problems: validation.problems,
    drift: () => validation.report(),
    lagEvents: () => follower.lagEvents,
    actionOf: (topic, found) => validation.actionOf(topic, found),
  })
  directoryApi(app, { directory: genesys.directory })
  reconcileApi(app, reconciler, (id) => views.nameOf('users', id))
  const access = new Access({ tokenHash, hosts: [config.http.host, ...config.http.allowHosts] })
  const server = createHttpServer(config.http, { access, intake, app })
  url.value = await listen(server, config.http.host, config.http.port)

  await genesys.startSources()
  const background = [
    follower.run(),
    reconciler.keep(),
    limits.run(stopping.signal),
    housekeep({ config, log, ledger, routes, state: keeper, logger, signal: stopping.signal }),
  ]
  if (finished !== null) background.push(finished.run(stopping.signal))
  if (options.simulate) background.push(playCalls(log, stopping.signal))
  logger.info({ url: url.value, mode, routes: [...routes.keys()], dataDir: config.dataDir, version: VERSION }, 'ready')

  let stopped: Promise<void> | null = null
  const stop = async (): Promise<void> => {
    ready = false
    intake.stopping = true
    stopping.abort()
    const over = new AbortController()
    void reportSlowStop({ routes, logger, clock, signal: over.signal })
    server.close()
    server.closeIdleConnections()
    await genesys.stop()
    await Promise.all(background)
    await keeper?.close()
    unsubscribe()
    const drainMs = options.drainMs ?? DRAIN_MS[mode]
    await Promise.all([...routes.values()].map((route) => route.stop(drainMs)))
    await log.close()
    await limitsFile.close()
    ledger.close()
    server.closeAllConnections()
    dataDir.release()
    over.abort()
    logger.info('stopped')
  }
  const result: Service = {
    url: url.value,
    tokenFile: made?.madeAt ?? null,
    stop: () => (stopped ??= stop().then(fatal.resolve, fatal.reject)),
    stopped: fatal.promise,
  }
  return result
}

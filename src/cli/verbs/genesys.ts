/**
 * `trunkline genesys`: `status` and `gaps` ask the running service; `check` tries the configured OAuth client of Genesys Cloud, call by call, and says what each one lacks. It only
 * reads, but for one notification channel where notifications are configured, which Genesys removes after a day.
 */
import { Command, Option } from 'commander'
import type { Config } from '../../config/config.ts'
import type { NamedThings } from '../../config/names.ts'
import type { Channel } from '../../genesys/platform.ts'
import type { PlatformClient } from '../../genesys/platform-client.ts'
import type { TriedTopic } from '../../hosts/trial-channel.ts'
import type { Clock } from '../../pipeline/clock.ts'
import { paintFor, print, printJson, type Context } from '../context.ts'
import { FAILED, problemOf } from '../failure.ts'
import { count, instant, timeOfDay } from '../format.ts'
import { placeOf } from '../genesys-place.ts'
import { configOf } from '../loading.ts'
import { withExamples, withJson } from '../options.ts'
import { fieldOf } from '../read.ts'
import { escapeText, safe } from '../text.ts'
import { gapsCommand } from './genesys-gaps.ts'
import { statusCommand } from './genesys-status.ts'

type Options = { readonly json?: true; readonly config?: string; readonly dataDir?: string }

/** What names are held against; null where it could not be read. */
type Read = { -readonly [kind in keyof NamedThings]: NamedThings[kind] }

/** One thing tried. */
type Check = {
  readonly call: string
  readonly for: string
  readonly ok: boolean
  /** What came back, in short; null when it failed. */
  readonly found: string | null
  readonly problem: {
    readonly code: string
    readonly message: string
    readonly hint: string
    readonly permissions: readonly string[]
  } | null
}

export function genesysCommand(context: Context): Command {
  const check = withJson(new Command('check'))
    .description(
      'try the OAuth client: region, login, organization, each call, the notification channel and its topics, the rate limit, the names in the configuration',
    )
    .addOption(new Option('--config <file>', 'the configuration file (TRUNKLINE_CONFIG; otherwise trunkline.config.* here)'))
    .addOption(new Option('--data-dir <folder>', 'as if the service were started with it'))
    .action((options: Options) => checkGenesys(context, options))
  withExamples(check, 'trunkline genesys check', 'trunkline genesys check --config deploy/trunkline.config.ts --json')
  const command = new Command('genesys')
    .description('the connection to Genesys Cloud')
    .addCommand(check)
    .addCommand(statusCommand(context))
    .addCommand(gapsCommand(context))
  return withExamples(command, 'trunkline genesys check', 'trunkline genesys status', 'trunkline genesys gaps')
}

async function checkGenesys(context: Context, options: Options): Promise<void> {
  const config = await configOf(context, options)
  if (config === null) return
  const { platformOf } = await import('../../hosts/platform.ts')
  const { systemClock } = await import('../../hosts/clock.ts')
  // Not the clock of the verb: how long a connection may take is real time.
  const client = platformOf(config.genesys, { clock: systemClock, random: () => context.io.random(), fetch, signal: context.signal })
  const read: Read = { queues: null, divisions: null }
  const calls = await runChecks(client, config, systemClock.nowMs(), read)
  const channel = calls.length === 1 ? [] : await runChannelChecks(client, config, systemClock, context.signal)
  const checks = [...calls, ...channel, ...(await nameChecks(config, read))]
  const failed = checks.filter(({ ok }) => !ok).length
  if (failed > 0) context.exitCode = FAILED
  const where = await placeOf(config)
  const { allowed, used, endsAtMs } = client.budget()
  const budget = allowed === null ? null : { allowed, left: Math.max(0, allowed - used), endsAtMs }
  if (options.json === true) return printJson(context, { ok: failed === 0, where, checks, budget })

  const paint = paintFor(context)
  print(context, safe`Genesys Cloud at ${where}`)
  for (const one of checks) {
    print(
      context,
      `${one.ok ? paint('green', 'ok    ') : paint('red', 'FAILED')} ${one.call.padEnd(24)} ${escapeText(one.found ?? one.problem?.message ?? '')}`,
    )
    if (one.problem !== null) {
      print(context, `       ${paint('dim', `needed for ${one.for}`)} [${escapeText(one.problem.code)}]`)
      print(context, `       fix: ${escapeText(one.problem.hint)}`)
    }
  }
  if (budget !== null)
    print(
      context,
      `${budget.left} of ${budget.allowed} requests left${budget.endsAtMs === null ? '' : ` until ${timeOfDay(budget.endsAtMs)}`}`,
    )
  print(context, failed === 0 ? 'everything that Trunkline calls can be called' : `${failed} of ${count(checks.length, 'check')} failed`)
}

async function runChecks(client: PlatformClient, config: Config, nowMs: number, read: Read): Promise<readonly Check[]> {
  const organization = await checked('organization', 'everything', async () => {
    const { id, name } = await client.organization()
    const wanted = config.genesys.orgId
    if (wanted === null || wanted === id) return `${name} (${id})`
    throw Object.assign(new Error(`The OAuth client belongs to the organization ${name} (${id}), and genesys.orgId is ${wanted}.`), {
      code: 'genesys.other_organization',
      hint: 'Set genesys.orgId to the first, or take an OAuth client of the second.',
    })
  })
  // Without a login nothing else can be told apart.
  if (organization.problem !== null && organization.problem.code !== 'genesys.other_organization') return [organization]
  const named = (call: string, list: () => Promise<readonly unknown[]>): Promise<Check> =>
    checked(call, `names of ${call}`, async () => String((await list()).length))
  return [
    organization,
    await named('queues', async () => (read.queues = await client.queues())),
    await named('users', () => client.users()),
    await named('divisions', async () => (read.divisions = await client.divisions())),
    await named('wrap-up codes', () => client.wrapupCodes()),
    await named('flows', () => client.flows()),
    await checked('conversation by id', 'looking up a conversation', async () => {
      await client.conversation(NOBODY)
      return 'may be asked for'
    }),
    await checked('conversation details', 'filling the gaps of the notification source', async () => {
      let found = 0
      for await (const _ of client.conversationDetails({ fromMs: nowMs - RECENT_MS, toMs: nowMs })) if (++found >= ENOUGH) break
      return `${found === ENOUGH ? `${found} or more` : found} active in the last 10 minutes`
    }),
    await checked('analytics by id', 'reconciling conversations', async () => {
      await client.conversationDetail(NOBODY)
      return 'may be asked for'
    }),
    await checked('presence and routing', 'reconciling agents', async () => {
      const [user] = await client.users()
      const [status] = user === undefined ? [] : await client.userStatuses([user.id])
      if (user === undefined) return 'no user to ask for'
      const told = [
        (status?.presence ?? null) === null ? 'no presence' : 'presence',
        (status?.routingStatus ?? null) === null ? 'no routing status' : 'routing status',
      ]
      return `${told.join(' and ')} told`
    }),
    await checked('notification topics', 'the notification source, schemas pull', async () =>
      count((await client.availableTopics()).length, 'topic'),
    ),
  ]
}

/** The names that routes are written with, held against the lists that could be read. */
async function nameChecks(config: Config, read: Read): Promise<readonly Check[]> {
  const [{ isNeeded, resolveNames, shownName }, { KNOWN_TOPICS }] = await Promise.all([
    import('../../config/names.ts'),
    import('../../event/known-topics.ts'),
  ])
  return config.routes.flatMap((route): readonly Check[] => {
    const { names, isRead } = resolveNames(route, read, KNOWN_TOPICS)
    if (names.length === 0 || !isRead) return []
    const call = `names of ${route.name}`
    const unknown = names.filter(({ ids }) => ids.length === 0)
    if (unknown.length === 0) return [{ call, for: 'the route', ok: true, found: count(names.length, 'name') + ' known', problem: null }]
    return unknown.map((use) => {
      const nearest = use.nearest.map((name) => JSON.stringify(name)).join(', ')
      const problem = {
        code: isNeeded(use.place) ? 'match.name_unknown' : 'limit.name_unknown',
        message: `Genesys Cloud has nothing of this name: ${shownName(use)}`,
        hint: `${nearest === '' ? '' : `The nearest are ${nearest}. `}Correct it in the configuration, or make it there.`,
        permissions: [],
      }
      return {
        call,
        for: isNeeded(use.place) ? `route ${route.name}, which holds` : `the limit of ${route.name}`,
        ok: false,
        found: null,
        problem,
      }
    })
  })
}

async function checked(call: string, purpose: string, run: () => Promise<string>): Promise<Check> {
  try {
    return { call, for: purpose, ok: true, found: await run(), problem: null }
  } catch (error) {
    const { code, message, hint } = problemOf(error)
    const permissions = fieldOf(error, 'permissions')
    const list = Array.isArray(permissions) ? permissions.filter((one) => typeof one === 'string') : []
    return { call, for: purpose, ok: false, found: null, problem: { code, message, hint, permissions: list } }
  }
}

/** The channel, its WebSocket and one topic of each kind, where notifications are configured. */
async function runChannelChecks(client: PlatformClient, config: Config, clock: Clock, signal: AbortSignal): Promise<readonly Check[]> {
  const settings = config.genesys.notifications
  if (settings === null) return []
  const { trySocket, tryTopics } = await import('../../hosts/trial-channel.ts')
  const purpose = 'the notification source'
  let made: Channel | null = null
  const channel = await checked('notification channel', purpose, async () => {
    made = await client.createChannel()
    return `made one, which Genesys removes at ${instant(made.expiresAtMs)}`
  })
  const open = made as Channel | null
  if (open === null) return [channel]
  const socket = await checked('notification socket', purpose, async () => {
    await trySocket(open, clock, signal)
    return 'opened and closed'
  })
  let refused: readonly Check[] = []
  const topics = await checked('subscriptions', purpose, async () => {
    const { tried, untried } = await tryTopics(client, open, settings, clock.nowMs())
    refused = tried.filter(({ permitted }) => !permitted).map((topic) => refusedTopic(topic, purpose))
    const left = untried.length === 0 ? '' : `; nothing to try with: ${untried.join(', ')}`
    return `${tried.length - refused.length} of ${count(tried.length, 'kind')} of topics accepted${left}`
  })
  return [channel, socket, topics, ...refused]
}

function refusedTopic({ template, topic, reason, missingPermissions: permissions }: TriedTopic, purpose: string): Check {
  const message = `Genesys refuses ${topic} (${reason ?? 'no reason given'}).`
  const hint =
    permissions.length === 0
      ? 'Check that the id exists and that a role of the OAuth client may see it.'
      : `Add ${permissions.join(', ')} to a role of the OAuth client.`
  return {
    call: template,
    for: purpose,
    ok: false,
    found: null,
    problem: { code: 'notifications.topic_refused', message, hint, permissions },
  }
}

/** An id that no conversation has: what counts is whether one may ask. */
const NOBODY = '00000000-0000-4000-8000-000000000000'
const RECENT_MS = 600_000
const ENOUGH = 100

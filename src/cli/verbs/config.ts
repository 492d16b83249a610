/**
 * `trunkline config`: the effective configuration with secrets masked and the origin of each value, or every error in it; and
 * the flags of a running service, which go before the configuration.
 */
import { Command, Option } from 'commander'
import type { Config } from '../../config/config.ts'
import { note, print, printJson, type Context } from '../context.ts'
import { USAGE, usageError } from '../failure.ts'
import { clientOf } from '../client.ts'
import { count, instant, table } from '../format.ts'
import { endText, keyOption, keyText, limitCommand, rateText, sayWhatStays, unsetLimit } from '../limit-flags.ts'
import { checkedConfig, configOf, printConfigError } from '../loading.ts'
import { wholeNumber, withClient, withExamples, withJson, type ClientOptions } from '../options.ts'
import { fieldOf, listOf, numberOf, textOf } from '../read.ts'
import { escapeLines, safe } from '../text.ts'
import { whoIs, withSigned, type Signed } from '../who.ts'

type FlagOptions = ClientOptions & Signed & { readonly json?: true }
type UnsetOptions = FlagOptions & { readonly limit?: true; readonly key?: string }
type ListOptions = FlagOptions & { readonly changes?: true; readonly limit: number }
type Options = { readonly json?: true; readonly config?: string; readonly dataDir?: string }

export function configCommand(context: Context): Command {
  const show = withOptions(new Command('show'))
    .description('show the effective configuration (the default)')
    .action((options: Options) => showConfig(context, options))
  const check = withOptions(new Command('check'))
    .description('check the configuration and the files it names, and say everything that is wrong; exit code 2 when something is')
    .action((options: Options) => checkConfig(context, options))
  withExamples(show, 'trunkline config show --json')
  withExamples(check, 'trunkline config check', 'trunkline config check --config deploy/trunkline.config.ts')
  const flags = withJson(withClient(new Command('flags')))
    .description('list what was changed in the running service: pauses, limits, schema versions, policies')
    .option('--changes', 'list the changes instead, newest first, with who made them')
    .option('--limit <n>', 'how many changes', wholeNumber(1, 1000), 50)
    .action((options: ListOptions) => listFlags(context, options))
  const pause = withSigned(withJson(withClient(new Command('pause'))))
    .description('pause a route of the running service: its events wait, and no attempt is made; holds over a restart')
    .argument('<route>', 'name of the route')
    .action((route: string, options: FlagOptions) => pauseRoute(context, route, options))
  const resume = withSigned(withJson(withClient(new Command('resume'))))
    .description('let a paused route go on, also one that the configuration pauses')
    .argument('<route>', 'name of the route')
    .action((route: string, options: FlagOptions) => resumeRoute(context, route, options))
  const unset = withSigned(withJson(withClient(new Command('unset'))))
    .description('take back what pause, resume or (with --limit) limit said of a route: the configuration decides again')
    .argument('<route>', 'name of the route')
    .option('--limit', 'take back a change of its limit')
    .addOption(keyOption())
    .action((route: string, options: UnsetOptions) => unsetRoute(context, route, options))
  withExamples(flags, 'trunkline config flags', 'trunkline config flags --changes --limit 10')
  withExamples(pause, 'trunkline config pause crm')
  withExamples(resume, 'trunkline config resume crm')
  withExamples(unset, 'trunkline config unset crm', 'trunkline config unset crm --limit --key 7c1d7a52-9d0e-4c38-8a53-6a1ba3ecd8f1')
  const command = new Command('config')
    .description('show or check the configuration (this runs the configuration file, which is code), or the flags of a running service')
    .addCommand(show, { isDefault: true })
    .addCommand(check)
    .addCommand(flags)
    .addCommand(pause)
    .addCommand(resume)
    .addCommand(limitCommand(context))
    .addCommand(unset)
  return withExamples(command, 'trunkline config', 'trunkline config check')
}

async function showConfig(context: Context, options: Options): Promise<void> {
  const config = await configOf(context, options)
  if (config === null) return
  const [{ formatConfig, printConfig }, { keptNames }] = await Promise.all([
    import('../../config/print.ts'),
    import('../../hosts/kept-names.ts'),
  ])
  const things = keptNames(config.dataDir)
  if (options.json === true) printJson(context, printConfig(config, things))
  else print(context, escapeLines(formatConfig(config, things).trimEnd()))
}

async function checkConfig(context: Context, options: Options): Promise<void> {
  const { config, errors, warnings } = await checkedConfig(context, options)
  if (errors.length > 0) context.exitCode = USAGE
  if (options.json === true) return printJson(context, { ok: errors.length === 0, errors, warnings })
  for (const warning of warnings) printConfigError(context, warning, 'warning: ')
  for (const error of errors) printConfigError(context, error, '')
  if (config !== null && errors.length === 0) print(context, saysOk(config))
}

async function listFlags(context: Context, options: ListOptions): Promise<void> {
  const client = clientOf(context.io, options)
  if (options.changes === true) {
    const answer = await client.get('/v1/flags/changes', { limit: options.limit }, context.signal)
    if (options.json === true) return printJson(context, answer)
    const rows = listOf(answer, 'changes').map((change) => [
      instant(numberOf(change, 'atMs')),
      subjectOf(change),
      valueOf(change, 'from'),
      valueOf(change, 'to'),
      textOf(change, 'by'),
    ])
    if (rows.length === 0) note(context, 'no flag was ever changed')
    else for (const line of table(['at', 'flag', 'from', 'to', 'by'], rows)) print(context, line)
    return
  }
  const answer = await client.get('/v1/flags', {}, context.signal)
  if (options.json === true) return printJson(context, answer)
  const nowMs = context.io.clock.nowMs()
  const rows = listOf(answer, 'flags').map((flag) => [
    subjectOf(flag),
    valueOf(flag, 'value'),
    endText(flag, nowMs),
    textOf(flag, 'by'),
    instant(numberOf(flag, 'atMs')),
  ])
  if (rows.length === 0) note(context, 'no flag is set; the configuration holds')
  else for (const line of table(['flag', 'value', 'ends', 'by', 'since'], rows)) print(context, line)
}

async function pauseRoute(context: Context, route: string, options: FlagOptions): Promise<void> {
  const change = await setPaused(context, route, true, options)
  if (options.json === true) printJson(context, change)
  else print(context, safe`route ${route} is paused; its events wait`)
}

/** Takes the pause away where that is enough: a flag that stays would go before a later change of the configuration. */
async function resumeRoute(context: Context, route: string, options: FlagOptions): Promise<void> {
  const flags = listOf(await clientOf(context.io, options).get('/v1/flags', {}, context.signal), 'flags')
  const current = flags.find((flag) => textOf(flag, 'flag') === 'route.paused' && textOf(flag, 'route') === route)
  // What was resumed before stays so: without its flag the route would pause for a moment, if the configuration says so.
  const stays = fieldOf(current, 'value') === false
  let change = await setPaused(context, route, stays ? false : null, options)
  const byConfiguration = !stays && (await isPaused(context, route, options))
  if (byConfiguration) change = await setPaused(context, route, false, options)
  if (options.json === true) return printJson(context, change)
  print(context, safe`route ${route} goes on`)
  if (byConfiguration) note(context, safe`the configuration pauses it; trunkline config unset ${route} lets it decide again`)
}

async function unsetRoute(context: Context, route: string, options: UnsetOptions): Promise<void> {
  if (options.limit === true) return unsetLimit(context, route, options)
  if (options.key !== undefined) throw usageError('--key goes with --limit.', 'Give both, or neither to take back a pause.')
  const change = await setPaused(context, route, null, options)
  if (options.json === true) return printJson(context, change)
  const paused = await isPaused(context, route, options)
  print(context, safe`route ${route} is as configured: ${paused ? 'paused' : 'it goes on'}`)
  await sayWhatStays(context, route, options)
}

async function isPaused(context: Context, route: string, options: FlagOptions): Promise<boolean> {
  const stats = await clientOf(context.io, options).get('/v1/stats', {}, context.signal)
  return fieldOf(fieldOf(fieldOf(stats, 'routes'), route), 'paused') === true
}

function setPaused(context: Context, route: string, value: boolean | null, options: FlagOptions): Promise<unknown> {
  return clientOf(context.io, options).put('/v1/flags', { flag: 'route.paused', route, value, by: whoIs(context.io, options) })
}

function subjectOf(flag: unknown): string {
  const text = (key: string): string | null => (key === 'key' ? keyText(flag) : textOf(flag, key))
  return ['flag', 'route', 'key', 'topic', 'class'].flatMap((key) => text(key) ?? []).join(' ')
}

/** A value, or `as configured` where no flag is set. */
function valueOf(flag: unknown, key: string): string {
  const value = fieldOf(flag, key)
  return value === null ? 'as configured' : (textOf(flag, key) ?? rateText(value))
}

function saysOk(config: Config): string {
  const names = config.routes.map((route) => route.name).join(', ')
  return safe`${config.file ?? 'no configuration file; the defaults'}: ok, ${count(config.routes.length, 'route')}${names === '' ? '' : ` (${names})`}`
}

function withOptions(command: Command): Command {
  return withJson(command)
    .addOption(new Option('--config <file>', 'the configuration file (TRUNKLINE_CONFIG; otherwise trunkline.config.* here)'))
    .addOption(new Option('--data-dir <folder>', 'as if the service were started with it'))
}

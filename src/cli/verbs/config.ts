/** `trunkline config`: the effective configuration with secrets masked and the origin of each value, or every error in it. */
import { Command, Option } from 'commander'
import type { Config } from '../../config/config.ts'
import { print, printJson, type Context } from '../context.ts'
import { USAGE } from '../failure.ts'
import { count } from '../format.ts'
import { configOf } from '../loading.ts'
import { withExamples, withJson } from '../options.ts'
import { escapeLines, safe } from '../text.ts'

type Options = { readonly json?: true; readonly config?: string; readonly dataDir?: string }

export function configCommand(context: Context): Command {
  const show = withOptions(new Command('show'))
    .description('show the effective configuration (the default)')
    .action((options: Options) => showConfig(context, options))
  const check = withOptions(new Command('check'))
    .description('check the configuration and say everything that is wrong with it; exit code 2 when something is')
    .action((options: Options) => checkConfig(context, options))
  withExamples(show, 'trunkline config show --json')
  withExamples(check, 'trunkline config check', 'trunkline config check --config deploy/trunkline.config.ts')
  const command = new Command('config')
    .description('show or check the configuration; this runs the configuration file, which is code')
    .addCommand(show, { isDefault: true })
    .addCommand(check)
  return withExamples(command, 'trunkline config', 'trunkline config check')
}

async function showConfig(context: Context, options: Options): Promise<void> {
  const config = await configOf(context, options)
  if (config === null) return
  const { formatConfig, printConfig } = await import('../../config/print.ts')
  if (options.json === true) printJson(context, printConfig(config))
  else print(context, escapeLines(formatConfig(config).trimEnd()))
}

async function checkConfig(context: Context, options: Options): Promise<void> {
  if (options.json === true) {
    const { loadConfig } = await import('../../config/load.ts')
    const result = await loadConfig({ cwd: context.io.cwd, env: context.io.env, flags: options })
    const errors = 'errors' in result ? result.errors : []
    context.exitCode = errors.length === 0 ? context.exitCode : USAGE
    return printJson(context, { ok: errors.length === 0, errors, warnings: result.warnings })
  }
  const config = await configOf(context, options)
  if (config !== null) print(context, saysOk(config))
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

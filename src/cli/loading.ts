/** Loads the configuration for the verbs that may run it, and says everything that is wrong with it. */
import type { Config } from '../config/config.ts'
import { placeOf, type ConfigError } from '../config/errors.ts'
import type { ConfigFlags } from '../config/reading.ts'
import { note, type Context } from './context.ts'
import { USAGE } from './failure.ts'
import { escapeText } from './text.ts'

/** The configuration; null after its errors were printed and the exit code set. Warnings are printed too. */
export async function configOf(context: Context, flags: ConfigFlags): Promise<Config | null> {
  const { loadConfig } = await import('../config/load.ts')
  const result = await loadConfig({ cwd: context.io.cwd, env: context.io.env, flags })
  for (const warning of result.warnings) printConfigError(context, warning, 'warning: ')
  if ('config' in result) return result.config
  for (const error of result.errors) printConfigError(context, error, '')
  context.exitCode = USAGE
  return null
}

export type ConfigCheck = {
  /** Null when something is wrong with the configuration itself. */
  readonly config: Config | null
  readonly errors: readonly Shown[]
  readonly warnings: readonly ConfigError[]
}

/** Everything that is wrong with the configuration and with the files it names. What user code does when it runs is not known here. */
export async function checkedConfig(context: Context, flags: ConfigFlags): Promise<ConfigCheck> {
  const { loadConfig } = await import('../config/load.ts')
  const result = await loadConfig({ cwd: context.io.cwd, env: context.io.env, flags, mustExist: true })
  if ('errors' in result) return { config: null, errors: result.errors, warnings: result.warnings }
  const { config } = result
  const [{ loadSchemas }, { Registry }, { doubtsOf }] = await Promise.all([
    import('../schema/folder.ts'),
    import('../schema/registry.ts'),
    import('../hosts/match-doubts.ts'),
  ])
  const { schemas, problems } = config.schemas.dir === null ? { schemas: [], problems: [] } : await loadSchemas(config.schemas.dir)
  const warnings = [...result.warnings, ...doubtsOf(config, new Registry(schemas))]
  return { config, errors: problems.map((problem) => ({ ...problem, path: 'schemas.dir' })), warnings }
}

type Shown = Omit<ConfigError, 'code'> & { readonly code: string }

/** `file: message`, with the place in the file, and the fix below it. */
export function printConfigError(context: Context, error: Shown, kind: 'warning: ' | ''): void {
  note(context, escapeText(`${kind}${placeOf(error)}${error.message} [${error.code}]`))
  note(context, `  fix: ${escapeText(error.hint)}`)
}

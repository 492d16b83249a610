/** Loads the configuration for the verbs that may run it, and says everything that is wrong with it. */
import type { Config } from '../config/config.ts'
import type { ConfigError } from '../config/errors.ts'
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

/** `file: path: message`, and the fix below it. */
function printConfigError(context: Context, error: ConfigError, kind: string): void {
  const place = [error.file, error.path].filter((part) => part !== null && part !== '').map((part) => `${part}: `)
  note(context, escapeText(`${kind}${place.join('')}${error.message} [${error.code}]`))
  note(context, `  fix: ${escapeText(error.hint)}`)
}

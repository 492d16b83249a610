/** What `schemas pull` does: asks the live API for its schemas and writes those that changed into a folder. */
import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Platform } from '../genesys/platform.ts'
import { note, print, printJson, printProblem, type Context } from './context.ts'
import { count } from './format.ts'
import { printChanges } from './schema-folder.ts'
import { safe } from './text.ts'

export type PullOptions = { readonly json?: true; readonly dir: string; readonly config?: string }

/** Makes a client of the Platform API from the configuration; null when what is wrong with that was printed. */
export type Connect = (context: Context, options: { readonly config?: string }) => Promise<Platform | null>

const MAX_CHANGES_SHOWN = 20

export async function pullSchemas(context: Context, connect: Connect, options: PullOptions): Promise<void> {
  const platform = await connect(context, options)
  if (platform === null) return
  const [{ loadSchemas }, { NO_SCHEMA, schemasOf }, { writePulled }] = await Promise.all([
    import('../schema/folder.ts'),
    import('../schema/pulled.ts'),
    import('../schema/pull.ts'),
  ])
  const folder = resolve(context.io.cwd, options.dir)
  const pulled = schemasOf(await platform.availableTopics(context.signal))
  mkdirSync(folder, { recursive: true })
  const loaded = await loadSchemas(folder)
  for (const problem of loaded.problems) printProblem(context, problem)
  const date = new Date(context.io.clock.nowMs()).toISOString().slice(0, 10)
  const { written, unchanged } = writePulled(folder, loaded, pulled, date)
  const refused = pulled.unusable.filter(({ why }) => why !== NO_SCHEMA)
  if (options.json === true) return printJson(context, { dir: options.dir, written, unchanged, unusable: pulled.unusable })
  for (const { topic, file, before, changes } of written) {
    print(
      context,
      before === null
        ? safe`${topic}: new, ${file}`
        : safe`${topic}: ${count(changes.length, 'change')} since ${before.origin} ${before.version}, ${file}`,
    )
    printChanges(context, changes.slice(0, MAX_CHANGES_SHOWN), '  ')
    if (changes.length > MAX_CHANGES_SHOWN) print(context, `  and ${changes.length - MAX_CHANGES_SHOWN} more: trunkline schemas diff`)
  }
  for (const { topic, why } of refused.slice(0, MAX_CHANGES_SHOWN)) note(context, safe`${topic} cannot be used: ${why}`)
  if (refused.length > MAX_CHANGES_SHOWN) note(context, `and ${refused.length - MAX_CHANGES_SHOWN} more; --json lists all`)
  print(
    context,
    safe`${count(written.length, 'schema')} written to ${options.dir}, ${unchanged} unchanged, ${count(pulled.unusable.length - refused.length, 'topic')} without a schema`,
  )
  if (written.length > 0)
    note(
      context,
      safe`A service uses them with schemas: { dir: ${JSON.stringify(options.dir)} } in its configuration, from its next start.`,
    )
}

/** `trunkline init`: a configuration, a first event to send and a first test. Overwrites nothing unless told to, and then nothing else. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { Command, Option } from 'commander'
import { print, printJson, type Context } from '../context.ts'
import { IN_A_CLONE } from '../in-a-clone.ts'
import { usageError } from '../failure.ts'
import { withExamples, withJson } from '../options.ts'
import { CONFIG_JSON, CONFIG_TS, SAMPLE_EVENT, SAMPLE_TEST } from '../templates.ts'
import { safe } from '../text.ts'

type Options = { readonly json?: true; readonly force?: true; readonly format: 'ts' | 'json' }

export function initCommand(context: Context): Command {
  const command = new Command('init')
    .description('write a first configuration, a sample event and a test of what becomes of it')
    .argument('[folder]', 'where to', '.')
    .addOption(new Option('--format <format>', 'of the configuration').choices(['ts', 'json']).default('ts'))
    .option('--force', 'overwrite files that are there')
    .action((folder: string, options: Options) => init(context, folder, options))
  return withExamples(withJson(command), 'trunkline init', 'trunkline init my-pipeline --format json')
}

async function init(context: Context, folder: string, options: Options): Promise<void> {
  const { CONFIG_FILES } = await import('../../config/load.ts')
  const root = resolve(context.io.cwd, folder)
  const configFile = `trunkline.config.${options.format}`
  const files = new Map([
    [join(root, configFile), options.format === 'ts' ? CONFIG_TS : CONFIG_JSON],
    [join(root, 'events', 'customer-start.json'), SAMPLE_EVENT],
    [join(root, 'tests', 'customer-start.test.json'), SAMPLE_TEST],
  ])
  // A configuration in another format would make it unclear which one counts.
  const configs = CONFIG_FILES.map((name) => join(root, name)).filter((path) => existsSync(path))
  const other = configs.find((path) => !files.has(path))
  if (other !== undefined)
    throw usageError(`${shown(other)} is there already, and only one configuration can count.`, 'Remove it first, or keep it.')
  const present = [...files.keys()].filter((path) => existsSync(path))
  if (present.length > 0 && options.force !== true)
    throw usageError(
      `${present.map(shown).join(' and ')} would be overwritten.`,
      'Use --force, or name another folder: trunkline init FOLDER',
    )
  for (const [path, text] of files) {
    try {
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, text, { flag: options.force === true ? 'w' : 'wx' })
    } catch (error) {
      throw usageError(
        `${shown(path)} cannot be written (${error instanceof Error && 'code' in error ? String(error.code) : String(error)}).`,
        'Check the permissions of the folder.',
      )
    }
  }
  const written = [...files.keys()].map(shown)
  if (options.json === true) return printJson(context, { written })
  for (const path of written) print(context, safe`wrote ${path}`)
  const there = folder === '.' ? '' : safe`cd ${folder} && `
  // A folder outside of the clone has no such script; from here both work.
  if (IN_A_CLONE)
    print(
      context,
      safe`next: npm run trunkline -- dev --config ${join(folder, configFile)}, and in another terminal: npm run trunkline -- send ${join(folder, 'events')}`,
    )
  else print(context, `next: ${there}npx trunkline dev, and in another terminal: ${there}npx trunkline send events/`)

  function shown(path: string): string {
    return relative(context.io.cwd, path) || path
  }
}

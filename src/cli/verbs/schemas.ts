/**
 * `trunkline schemas`: the schemas there are and how they differ, one inferred from events, the live ones (offline but for `pull`);
 * and of a running service its drift, and the version and policy of a topic, which hold at once.
 */
import { Command, Option } from 'commander'
import { DRIFT_CLASSES, POLICY_ACTIONS } from '../../schema/finding.ts'
import { clientOf } from '../client.ts'
import { note, paintFor, print, printJson, type Context } from '../context.ts'
import { instant, shortTopic, table } from '../format.ts'
import { withClient, withExamples, withJson, type ClientOptions } from '../options.ts'
import { listOf, numberOf, textOf } from '../read.ts'
import { inferSchema, type InferOptions } from '../schema-infer.ts'
import { diffVersions, listSchemas, showSchema, type FolderOptions } from '../schema-folder.ts'
import { pullSchemas, type Connect, type PullOptions } from '../schema-pull.ts'
import { safe } from '../text.ts'
import { whoIs } from '../who.ts'

type DriftOptions = ClientOptions & { readonly json?: true; readonly topic?: string; readonly class?: string }
type FlagOptions = ClientOptions & { readonly json?: true }

/** `connect` makes the client of the Platform API that `pull` asks. */
export function schemasCommand(context: Context, connect: Connect): Command {
  const command = new Command('schemas').description(
    'list, show, compare, infer and pull schemas; show drift; choose version and policy of a topic',
  )
  for (const make of [listVerb, showVerb, diffVerb, inferVerb, driftVerb, useVerb, policyVerb]) command.addCommand(make(context))
  command.addCommand(pullVerb(context, connect))
  return withExamples(
    command,
    'trunkline schemas list',
    'trunkline schemas drift',
    'trunkline schemas show v2.detail.events.conversation.{id}.acd.end',
  )
}

function listVerb(context: Context): Command {
  const list = withFolder(withJson(new Command('list')))
    .description('list the topics that have a schema, with its versions; exit code 1 when a file of the folder is none')
    .action((options: FolderOptions) => listSchemas(context, options))
  return withExamples(list, 'trunkline schemas list', 'trunkline schemas list --dir schemas --json')
}

function showVerb(context: Context): Command {
  const show = withFolder(withJson(new Command('show')))
    .description('show the fields of a schema; --json prints the schema itself')
    .argument('<topic>', 'the topic, as Genesys writes it')
    .argument('[version]', 'another version than the newest')
    .action((topic: string, version: string | undefined, options: FolderOptions) => showSchema(context, topic, version, options))
  return withExamples(
    show,
    'trunkline schemas show v2.users.{id}.presence',
    'trunkline schemas show v2.users.{id}.presence --json > presence.schema.json',
  )
}

function diffVerb(context: Context): Command {
  const diff = withFolder(withJson(new Command('diff')))
    .description('compare two versions of a schema, or two files: fields, types and known values that came or went')
    .argument('<topic-or-file>', 'a topic, followed by two versions; or a file')
    .argument('<version-or-file>', 'the older version, or the other file')
    .argument('[version]', 'the newer version')
    .action((first: string, second: string, third: string | undefined, options: FolderOptions) =>
      diffVersions(context, first, second, third, options),
    )
  return withExamples(
    diff,
    'trunkline schemas diff v2.users.{id}.presence 257.1.0 2026-11-20 --dir schemas',
    'trunkline schemas diff old.schema.json new.schema.json',
  )
}

function inferVerb(context: Context): Command {
  const infer = new Command('infer')
    .description('propose a schema from events, read as `send` reads them')
    .argument('[files...]', 'files of one event, an array or lines (NDJSON), also .gz; folders of such files; - for standard input')
    .option('--topic <topic>', 'of which topic, when there are events of several')
    .option('--out <file>', 'write it there instead of printing it')
    .action((names: readonly string[], options: InferOptions) => inferSchema(context, names, options))
  return withExamples(
    infer,
    'trunkline schemas infer events/ --topic v2.users.{id}.geolocation',
    'trunkline schemas infer - --out schemas/own.schema.json < events.ndjson',
  )
}

function pullVerb(context: Context, connect: Connect): Command {
  const pull = withJson(new Command('pull'))
    .description('write the live schemas of your organisation into a folder; only what changed is written')
    .addOption(new Option('--dir <folder>', 'the folder').default('schemas'))
    .addOption(
      new Option('--config <file>', 'the configuration file with the OAuth client (TRUNKLINE_CONFIG; otherwise trunkline.config.* here)'),
    )
    .action((options: PullOptions) => pullSchemas(context, connect, options))
  return withExamples(pull, 'trunkline schemas pull', 'trunkline schemas pull --dir deploy/schemas --json')
}

function driftVerb(context: Context): Command {
  const drift = withJson(withClient(new Command('drift')))
    .description('what the traffic of the service has that its schemas do not, and fields that stopped coming')
    .option('--topic <topic>', 'only of this topic')
    .addOption(new Option('--class <class>', 'only of this class').choices(DRIFT_CLASSES))
    .action((options: DriftOptions) => showDrift(context, options))
  return withExamples(drift, 'trunkline schemas drift', 'trunkline schemas drift --class new_field --json')
}

function useVerb(context: Context): Command {
  const use = withJson(withClient(new Command('use')))
    .description('judge a topic by this version of its schema from now on; `default` goes back to the newest')
    .argument('<topic>', 'the topic, as Genesys writes it')
    .argument('<version>', 'a version of its schema, or default')
    .action(async (topic: string, version: string, options: FlagOptions) => {
      const change = await setFlag(context, { flag: 'schema.version', topic, value: valueOf(version) }, options)
      if (options.json === true) printJson(context, change)
      else
        print(
          context,
          valueOf(version) === null ? safe`${topic}: the newest version is used again` : safe`${topic}: version ${version} is used now`,
        )
    })
  return withExamples(use, 'trunkline schemas use v2.users.{id}.presence 257.1.0', 'trunkline schemas use v2.users.{id}.presence default')
}

function policyVerb(context: Context): Command {
  const policy = withJson(withClient(new Command('policy')))
    .description('what happens to events of a topic that drift, from now on; `default` goes back to the configuration')
    .argument('<topic>', 'the topic, or one that ends in * for all that begin so, or * alone')
    .argument('<class>', `${DRIFT_CLASSES.filter((name) => name !== 'field_gone').join(', ')}, or * for all`)
    .argument('<action>', `${POLICY_ACTIONS.join(', ')}, or default`)
    .action(async (topic: string, drift: string, action: string, options: FlagOptions) => {
      const change = await setFlag(context, { flag: 'schema.policy', topic, class: drift, value: valueOf(action) }, options)
      if (options.json === true) printJson(context, change)
      else print(context, safe`${topic}: ${drift} is now ${valueOf(action) === null ? 'treated as configured' : `treated with ${action}`}`)
    })
  return withExamples(
    policy,
    'trunkline schemas policy v2.users.{id}.presence new_field quarantine',
    'trunkline schemas policy "*" "*" default',
  )
}

async function showDrift(context: Context, options: DriftOptions): Promise<void> {
  const { topic, class: drift } = options
  const report = await clientOf(context.io, options).get('/v1/schemas/drift', { topic, class: drift }, context.signal)
  if (options.json === true) return printJson(context, report)
  const paint = paintFor(context)
  const rows = listOf(report, 'drift').map((entry) => [
    shortTopic(textOf(entry, 'topic') ?? '-'),
    textOf(entry, 'class'),
    [textOf(entry, 'path') || null, textOf(entry, 'detail')].filter((part) => part !== null).join(': ') +
      (textOf(entry, 'back') === 'true' ? ' (back)' : ''),
    textOf(entry, 'count'),
    instant(numberOf(entry, 'firstSeenAtMs')),
    instant(numberOf(entry, 'lastSeenAtMs')),
    textOf(entry, 'action'),
    textOf(entry, 'sampleId'),
  ])
  if (rows.length === 0) note(context, `no drift in ${numberOf(report, 'events') ?? 0} events`)
  else {
    const [heading, ...lines] = table(['topic', 'class', 'where', 'count', 'first', 'last', 'action', 'sample'], rows)
    print(context, paint('bold', heading ?? ''))
    for (const line of lines) print(context, line)
  }
  const lag = numberOf(report, 'lagEvents') ?? 0
  if (lag > 0) note(context, `the report is ${lag} events behind intake`)
}

function setFlag(context: Context, flag: object, options: FlagOptions): Promise<unknown> {
  return clientOf(context.io, options).put('/v1/flags', { ...flag, by: whoIs(context.io) })
}

function valueOf(text: string): string | null {
  return text === 'default' ? null : text
}

function withFolder(command: Command): Command {
  return command.addOption(new Option('--dir <folder>', 'a folder with schemas of your own, beside the shipped ones'))
}

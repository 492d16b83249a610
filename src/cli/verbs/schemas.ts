/**
 * `trunkline schemas`: the schemas there are and how they differ, one inferred from events, the live ones (offline but for `pull`);
 * and of a running service its drift, and the version and policy of a topic, which hold at once.
 */
import { Argument, Command, Option } from 'commander'
import { DRIFT_CLASSES, POLICY_ACTIONS } from '../../schema/finding.ts'
import type { Context } from '../context.ts'
import { withClient, withExamples, withJson } from '../options.ts'
import { setPolicy, showDrift, useVersion, type DriftOptions, type FlagOptions } from '../schema-flags.ts'
import { inferSchema, type InferOptions } from '../schema-infer.ts'
import { diffVersions, listSchemas, showSchema, type FolderOptions } from '../schema-folder.ts'
import { pullSchemas, type Connect, type PullOptions } from '../schema-pull.ts'
import { withSigned } from '../who.ts'

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
    .argument('<topic>', 'the topic, also as lists show it: conversation.acd.end')
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
    .argument('<topic-or-file>', 'a topic, followed by two versions; or a file, followed by another')
    .argument('<other>', 'the older version, or the other file')
    .argument('[newer]', 'the newer version')
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
    .description('write the live schemas of your organisation into a folder; only those with other fields, types or values than before')
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
    .option('--topic <topic>', 'only of this topic, also as lists show it')
    .addOption(new Option('--class <class>', 'only of this class').choices(DRIFT_CLASSES))
    .action((options: DriftOptions) => showDrift(context, options))
  return withExamples(drift, 'trunkline schemas drift', 'trunkline schemas drift --class new_field --json')
}

function useVerb(context: Context): Command {
  const use = withSigned(withJson(withClient(new Command('use'))))
    .description('judge a topic by this version of its schema from now on; `default` goes back to the newest')
    .argument('<topic>', 'the topic, also as lists show it: conversation.acd.end')
    .argument('<version>', 'a version of its schema, or default')
    .action((topic: string, version: string, options: FlagOptions) => useVersion(context, topic, version, options))
  return withExamples(use, 'trunkline schemas use v2.users.{id}.presence 257.1.0', 'trunkline schemas use v2.users.{id}.presence default')
}

function policyVerb(context: Context): Command {
  const policy = withSigned(withJson(withClient(new Command('policy'))))
    .description('what happens to events of a topic that drift, from now on; `default` goes back to the configuration')
    .argument('<topic>', 'the topic, or one that ends in * for all that begin so, or * alone')
    .addArgument(
      new Argument('<class>', 'class of drift, or * for all').choices([...DRIFT_CLASSES.filter((name) => name !== 'field_gone'), '*']),
    )
    .addArgument(new Argument('<action>', 'what to do').choices([...POLICY_ACTIONS, 'default']))
    .action((topic: string, drift: string, action: string, options: FlagOptions) => setPolicy(context, topic, drift, action, options))
  return withExamples(
    policy,
    'trunkline schemas policy v2.users.{id}.presence new_field quarantine',
    'trunkline schemas policy "*" "*" default',
  )
}

function withFolder(command: Command): Command {
  return command.addOption(
    new Option(
      '--dir <folder>',
      'a folder with schemas of your own, beside the shipped ones; schemas.dir of the configuration is not read',
    ),
  )
}

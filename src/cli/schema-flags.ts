/** What `schemas drift`, `use` and `policy` do: they ask a running service, or change what it does from its next event on. */
import { clientOf, type Client } from './client.ts'
import { note, paintFor, print, printJson, type Context } from './context.ts'
import { instant, shortTopic, table } from './format.ts'
import type { ClientOptions } from './options.ts'
import { entriesOf, listOf, numberOf, textOf } from './read.ts'
import { safe } from './text.ts'
import { topicAsked, topicMeant } from './topic.ts'
import { whoIs, type Signed } from './who.ts'

export type DriftOptions = ClientOptions & { readonly json?: true; readonly topic?: string; readonly class?: string }
export type FlagOptions = ClientOptions & Signed & { readonly json?: true }

export async function showDrift(context: Context, options: DriftOptions): Promise<void> {
  const client = clientOf(context.io, options)
  const { topic, unknown } = await topicAsked(client, options.topic, context.signal)
  if (unknown !== null) throw unknown
  const report = await client.get('/v1/schemas/drift', { topic, class: options.class }, context.signal)
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
  const events = topic === undefined ? numberOf(report, 'events') : new Map(entriesOf(report, 'topics')).get(topic)
  if (rows.length === 0) note(context, safe`no drift in ${events ?? 0} events${topic === undefined ? '' : ` of ${topic}`}`)
  else {
    const [heading, ...lines] = table(['topic', 'class', 'where', 'count', 'first', 'last', 'action', 'sample'], rows)
    print(context, paint('bold', heading ?? ''))
    for (const line of lines) print(context, line)
  }
  const lag = numberOf(report, 'lagEvents') ?? 0
  if (lag > 0) note(context, `the report is ${lag} events behind intake`)
}

export async function useVersion(context: Context, typed: string, version: string, options: FlagOptions): Promise<void> {
  const topic = topicMeant(typed) ?? typed
  const value = valueOf(version)
  const change = await setFlag(clientOf(context.io, options), context, { flag: 'schema.version', topic, value }, options)
  if (options.json === true) return printJson(context, change)
  print(context, value === null ? safe`${topic}: the newest version is used again` : safe`${topic}: version ${version} is used now`)
}

export async function setPolicy(context: Context, typed: string, drift: string, action: string, options: FlagOptions): Promise<void> {
  const topic = typed.includes('*') ? typed : (topicMeant(typed) ?? typed)
  const value = valueOf(action)
  const client = clientOf(context.io, options)
  const change = await setFlag(client, context, { flag: 'schema.policy', topic, class: drift, value }, options)
  if (options.json === true) return printJson(context, change)
  const how = value === 'quarantine' ? `${action}: dead letters, see trunkline deadletters --reason validate.quarantined` : action
  print(context, safe`${topic}: ${drift} is now treated ${value === null ? 'as configured' : `with ${how}`}`)
  const others = listOf(await client.get('/v1/flags', {}, context.signal), 'flags').filter(
    (flag) => textOf(flag, 'flag') === 'schema.policy' && prevails(flag, { topic, drift, isSet: value !== null }),
  )
  for (const flag of others.slice(0, MAX_OTHERS_SHOWN))
    note(
      context,
      safe`but still set: ${textOf(flag, 'topic') ?? '?'} ${textOf(flag, 'class') ?? '?'} ${textOf(flag, 'value') ?? '?'}, by ${textOf(flag, 'by') ?? '?'}`,
    )
  if (others.length > MAX_OTHERS_SHOWN) note(context, `and ${others.length - MAX_OTHERS_SHOWN} more: trunkline config flags`)
}

const MAX_OTHERS_SHOWN = 10

/**
 * Whether another policy decides about some of the same events, so that what was just said does not hold for all of them: a more
 * specific one always, and a wider one where nothing was set.
 */
function prevails(flag: unknown, said: { readonly topic: string; readonly drift: string; readonly isSet: boolean }): boolean {
  const [topic, drift] = [textOf(flag, 'topic') ?? '', textOf(flag, 'class') ?? '']
  if (drift !== said.drift && drift !== '*' && said.drift !== '*') return false
  if (topic === said.topic) return drift !== said.drift && (!said.isSet || drift !== '*')
  return covers(said.topic, topic) || (!said.isSet && covers(topic, said.topic))
}

function covers(wide: string, topic: string): boolean {
  return wide.endsWith('*') ? topic.startsWith(wide.slice(0, -1)) : wide === topic
}

function setFlag(client: Client, context: Context, flag: object, options: FlagOptions): Promise<unknown> {
  return client.put('/v1/flags', { ...flag, by: whoIs(context.io, options) })
}

function valueOf(text: string): string | null {
  return text === 'default' ? null : text
}

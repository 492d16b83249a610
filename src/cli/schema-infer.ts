/** What `schemas infer` does: reads events as `send` does, decodes them, and proposes a schema of their bodies. */
import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { TrunklineError } from '../errors.ts'
import type { Event } from '../event/event.ts'
import type { Inference } from '../schema/infer.ts'
import { note, printJson, print, type Context } from './context.ts'
import { usageError } from './failure.ts'
import { count } from './format.ts'
import { recordsOf, sourcesOf } from './input.ts'
import { safe } from './text.ts'
import { topicMeant } from './topic.ts'

export type InferOptions = { readonly topic?: string; readonly out?: string }

const MAX_TOPICS_LISTED = 20
/** Topics that are kept apart; without --topic there may be any number of them in the input. */
const MAX_TOPICS = 500

export async function inferSchema(context: Context, names: readonly string[], options: InferOptions): Promise<void> {
  if (names.length === 0 && context.io.stdin.isTTY)
    throw usageError('Nothing to read.', 'Name files or folders of events, or pipe events in.')
  const { inferences, events, unread, others } = await readBodies(
    context,
    names,
    options.topic === undefined ? undefined : (topicMeant(options.topic) ?? options.topic),
  )
  if (unread > 0) note(context, `${count(unread, 'record')} could not be decoded; trunkline send would say why`)
  const topics = [...inferences.keys()].toSorted()
  const [topic] = topics
  if (topic === undefined) {
    const near = [...others].slice(0, 5).join(', ')
    throw new TrunklineError(
      'schema.no_events',
      options.topic === undefined
        ? `none of ${count(events, 'event')} has a body`
        : `none of ${count(events, 'event')} is of the topic ${JSON.stringify(options.topic)}`,
      near === '' ? 'Give events as Genesys sends them.' : `There are events of: ${near}.`,
    )
  }
  if (topics.length > 1) {
    const list = topics.slice(0, MAX_TOPICS_LISTED).map((name) => `${name} (${inferences.get(name)?.bodies ?? 0})`)
    if (topics.length > list.length) list.push(`and ${topics.length - list.length} more`)
    throw usageError(
      `There are events of ${count(topics.length, 'topic')}, and a schema is of one.`,
      `Name one with --topic: ${list.join(', ')}.`,
    )
  }
  const inference = inferences.get(topic)!
  const schema = inference.schema(topic)
  if (options.out === undefined) return printJson(context, schema)
  const path = resolve(context.io.cwd, options.out)
  try {
    writeFileSync(path, `${JSON.stringify(schema, null, 2)}\n`, { flag: 'wx' })
  } catch (error) {
    const exists = error instanceof Error && 'code' in error && error.code === 'EEXIST'
    throw new TrunklineError(
      'schema.unwritable',
      exists ? `${options.out} exists already` : `${options.out} cannot be written`,
      exists ? 'Name another file; nothing is written over.' : 'Check the folder and its permissions.',
      { cause: error },
    )
  }
  print(context, safe`${options.out}: ${topic}, from ${count(inference.bodies, 'event')}; read it through before you use it`)
}

type Read = {
  readonly inferences: Map<string, Inference>
  events: number
  unread: number
  /** Topics that were not asked for, a few of them. */
  readonly others: Set<string>
}

async function readBodies(context: Context, names: readonly string[], wanted: string | undefined): Promise<Read> {
  const [{ decode, DEFAULT_MAX_BYTES }, { bodyOf }, { Inference }] = await Promise.all([
    import('../event/decode.ts'),
    import('../schema/assess.ts'),
    import('../schema/infer.ts'),
  ])
  const read: Read = { inferences: new Map(), events: 0, unread: 0, others: new Set() }
  const add = (event: Event): void => {
    read.events++
    const { topic } = event
    const known = read.inferences.get(topic)
    if (wanted !== undefined && topic !== wanted) {
      if (read.others.size < 20) read.others.add(topic)
      return
    }
    const body = bodyOf(event)
    if (body === undefined || (known === undefined && read.inferences.size >= MAX_TOPICS)) return
    const inference = known ?? new Inference()
    inference.add(body)
    read.inferences.set(topic, inference)
  }
  try {
    for (const source of sourcesOf(context.io, names)) {
      for await (const records of recordsOf(source)) {
        for (const decoded of records.flatMap(({ bytes }) => decode(bytes, { maxBytes: DEFAULT_MAX_BYTES }))) {
          if (decoded.ok) add({ ...decoded.event, id: '', receivedAtMs: 0, duplicateOf: null, redelivered: false })
          else read.unread++
        }
      }
    }
  } catch (error) {
    if (!(error instanceof TrunklineError) || !error.code.startsWith('send.')) throw error
    throw new TrunklineError('schema.unreadable', error.message, 'Check the file, or make lines of it: jq -c ".[]" FILE', { cause: error })
  } finally {
    context.io.stdin.close()
  }
  return read
}

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TrunklineConfig } from '../../src/config/config.ts'
import { resolveConfig } from '../../src/config/resolve.ts'
import { KNOWN_TOPICS } from '../../src/event/known-topics.ts'
import { nearestTopics, templateOf } from '../../src/event/topics.ts'
import type { Ending, Settled } from '../../src/hosts/lambda/options.ts'
import { sqs } from '../../src/hosts/lambda/sqs.ts'
import { startService } from '../../src/hosts/service.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { sqsMessage } from '../../src/testing/sqs-event.ts'

/*
 * Both homes behind one face: the same records in, and what became of each event out. A harness plays what surrounds
 * its host and nothing else: an HTTP client for the service, the queue with its redeliveries for the function.
 */

/** How an event ended. */
export type HostOutcome = Exclude<Ending, 'returned'>

export type HostHarness = {
  readonly name: string
  /** Gives each record to the host, and waits for the end of everything in it: one list of outcomes per record. */
  process(records: readonly Uint8Array[]): Promise<readonly (readonly HostOutcome[])[]>
  close(): Promise<void>
}

export type HostConfig = Pick<TrunklineConfig, 'routes' | 'genesys'>

/** Messages of one invocation, as the event source mapping's default has it. */
const BATCH = 10
const MAX_RECEIVES = 50
const POLL_MS = 5
const GIVE_UP_MS = 20_000

/** A function behind a queue that gives failed messages back, in order, until none is left. */
export async function lambdaHost(config: HostConfig): Promise<HostHarness> {
  const settled: Settled[] = []
  const handler = sqs({
    config,
    store: memoryStore(),
    env: {},
    deadLetter: async () => {},
    quarantine: async () => {},
    onSettled: (one) => settled.push(one),
    warn: () => {},
  })
  let sent = 0
  return {
    name: 'lambda',
    async process(records) {
      const ends = new Map<string, (HostOutcome | undefined)[]>()
      let queue = records.map((record) => sqsMessage(`m${sent++}`, new TextDecoder().decode(record)))
      const order = queue.map(({ messageId }) => messageId)
      for (let receive = 1; queue.length > 0; receive += 1) {
        if (receive > MAX_RECEIVES) throw new Error(`${queue.length} messages never ended`)
        const failed = new Set<string>()
        for (let at = 0; at < queue.length; at += BATCH) {
          settled.length = 0
          const { batchItemFailures } = await handler({ Records: queue.slice(at, at + BATCH) })
          for (const { itemIdentifier } of batchItemFailures) failed.add(itemIdentifier)
          note(settled, ends)
        }
        queue = queue
          .filter(({ messageId }) => failed.has(messageId))
          .map(({ messageId, body }) => sqsMessage(messageId, body, receive + 1))
      }
      return order.map((messageId) => (ends.get(messageId) ?? []).map((end) => end ?? missing(messageId)))
    },
    close: async () => {},
  }
}

/** The whole service on a data directory of its own. */
export async function serviceHost(config: HostConfig): Promise<HostHarness> {
  const dir = await mkdtemp(join(tmpdir(), 'trunkline-host-'))
  const result = resolveConfig(
    { ...config, dataDir: 'data', http: { port: 0 } },
    {
      file: null,
      cwd: dir,
      env: {},
      readFile: missing,
      knownTopics: KNOWN_TOPICS,
      nearestTopics,
      topicTemplateOf: (name) => templateOf(name).topic,
    },
  )
  if (!('config' in result)) throw new Error(JSON.stringify(result.errors))
  const service = await startService({ config: result.config, mode: 'dev', simulate: false, env: {}, logLevel: 'silent' })
  return {
    name: 'service',
    async process(records) {
      const answers: Accepted[] = []
      for (const body of records) {
        const response = await fetch(`${service.url}/v1/events`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: Buffer.from(body),
        })
        answers.push((await response.json()) as Accepted)
      }
      const giveUpAtMs = Date.now() + GIVE_UP_MS
      return Promise.all(
        answers.map(async ({ ids, errors }) => {
          const ends = ids.flat().map((id) => (id === null ? null : ended(`${service.url}/v1/events/${id}`, giveUpAtMs)))
          const accepted = await Promise.all(ends.filter((end) => end !== null))
          return [...accepted, ...errors.map(() => 'quarantined' as const)]
        }),
      )
    },
    async close() {
      await service.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

type Accepted = { readonly ids: readonly (string | null | readonly (string | null)[])[]; readonly errors: readonly unknown[] }

/** A message that comes again tells the end of its events again: the first end is the one that counts. */
function note(settled: readonly Settled[], ends: Map<string, (HostOutcome | undefined)[]>): void {
  const places = new Map<string, number>()
  for (const { messageId, ending } of settled) {
    const place = places.get(messageId) ?? 0
    places.set(messageId, place + 1)
    const known = ends.get(messageId) ?? []
    ends.set(messageId, known)
    known[place] ??= ending === 'returned' ? undefined : ending
  }
}

/** The end of an event on the only route, once it has one. */
async function ended(url: string, giveUpAtMs: number): Promise<HostOutcome> {
  for (;;) {
    const history = (await (await fetch(url)).json()) as { readonly routes: readonly { readonly outcome: string }[] }
    const outcome = history.routes[0]?.outcome
    if (outcome === 'delivered' || outcome === 'duplicate' || outcome === 'not_matched' || outcome === 'dropped' || outcome === 'dead')
      return outcome
    if (Date.now() > giveUpAtMs) throw new Error(`${url} has not ended: ${outcome}`)
    await sleep(POLL_MS)
  }
}

function missing(what: string): never {
  throw new Error(`no outcome for ${what}`)
}

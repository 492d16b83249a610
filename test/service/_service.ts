/**
 * The whole service in this process, on a data directory of its own, talked to over real HTTP; and a raw socket for
 * what no HTTP client would send.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Config, TrunklineConfig } from '../../src/config/config.ts'
import { resolveConfig } from '../../src/config/resolve.ts'
import { KNOWN_TOPICS } from '../../src/event/known-topics.ts'
import { nearestTopics, templateOf } from '../../src/event/topics.ts'
import { startService } from '../../src/hosts/service.ts'

const POLL_MS = 5
const GIVE_UP_MS = 10_000

export type RunningOptions = {
  readonly config?: TrunklineConfig
  readonly mode?: 'dev' | 'start'
  readonly env?: Readonly<Record<string, string>>
  /** The folder that holds `data`; a new one when absent. */
  readonly dir?: string
  readonly drainMs?: number
  /** Changes what is checked already: times shorter than a configuration may have. */
  readonly change?: (config: Config) => Config
}

export type Reply = { readonly status: number; readonly headers: Headers; readonly text: string; readonly json: Json }

type TextField =
  | 'id'
  | 'code'
  | 'message'
  | 'hint'
  | 'verdict'
  | 'keyKind'
  | 'route'
  | 'outcome'
  | 'reason'
  | 'via'
  | 'raw'
  | 'topic'
  | 'topicName'
  | 'conversationId'
  | 'queueId'
  | 'userId'
  | 'mode'
  | 'sha256'
  | 'bytesBase64'
  | 'quarantineId'
type NumberField =
  | 'accepted'
  | 'quarantined'
  | 'index'
  | 'sizeBytes'
  | 'storedBytes'
  | 'uptimeMs'
  | 'lag'
  | 'inFlight'
  | 'retrying'
  | 'pendingBytes'
  | 'firstSeq'
  | 'nextSeq'
  | 'bytes'
  | 'receivedAtMs'
type ListField = 'errors' | 'events' | 'records' | 'receipts'
type ObjectField = 'intake' | 'log' | 'quarantine' | 'trunkline'

/** An answer of the API, whichever it is: the fields that tests look at. What is really there is what they check. */
export type Json = Readonly<
  Record<TextField, string> & Record<NumberField, number> & Record<ListField, readonly Json[]> & Record<ObjectField, Fields>
> & {
  readonly ids: readonly string[]
  readonly duplicateOf: string | null
  readonly envelopeId: string | null
  readonly cursor: string | null
  /** A list in a history, by name in the figures. */
  readonly routes: readonly Json[] & Readonly<Record<string, Json>>
}
interface Fields extends Json {}

export type Running = {
  readonly url: string
  readonly port: number
  readonly dir: string
  readonly dataDir: string
  readonly tokenFile: string | null
  /** POST /v1/events. */
  send(body: string | Uint8Array, headers?: Readonly<Record<string, string>>, query?: string): Promise<Reply>
  ask(path: string, init?: RequestInit): Promise<Reply>
  get(path: string): Promise<Json>
  /** What the file sink of a route has written, parsed. */
  delivered(route?: string): Json[]
  stop(): Promise<void>
}

/** A folder that goes with the test. */
export function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'trunkline-service-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

export function configOf(dir: string, config: TrunklineConfig = {}): Config {
  const input = { log: { minFreeBytes: 0 }, ...config, dataDir: 'data', http: { port: 0, ...config.http } }
  const result = resolveConfig(input, {
    file: null,
    cwd: dir,
    env: {},
    readFile: () => assert.fail('no file is read'),
    knownTopics: KNOWN_TOPICS,
    nearestTopics,
    topicTemplateOf: (name) => templateOf(name).topic,
  })
  if (!('config' in result)) assert.fail(JSON.stringify(result.errors))
  return result.config
}

/** Starts the service; it stops with the test, if not before. */
export async function running(t: TestContext, options: RunningOptions = {}): Promise<Running> {
  const dir = options.dir ?? folder(t)
  const checked = configOf(dir, options.config)
  const config = options.change?.(checked) ?? checked
  const service = await startService({
    config,
    mode: options.mode ?? 'dev',
    simulate: false,
    env: options.env ?? {},
    logLevel: 'silent',
    drainMs: options.drainMs ?? 2_000,
  })
  t.after(() => service.stop())
  const ask = (path: string, init?: RequestInit): Promise<Reply> => askOf(service.url + path, init)
  return {
    url: service.url,
    port: Number(new URL(service.url).port),
    dir,
    dataDir: config.dataDir,
    tokenFile: service.tokenFile,
    ask,
    send: (body, headers, query = '') =>
      ask(`/v1/events${query}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : new Uint8Array(body),
      }),
    get: async (path) => {
      const { status, json, text } = await ask(path)
      assert.equal(status, 200, text)
      return json
    },
    delivered: (route = 'out') => linesIn(join(config.dataDir, 'out'), route),
    stop: () => service.stop(),
  }
}

/** Waits until `check` answers something; fails the test when it never does. */
export async function until<T>(
  what: string,
  check: () => Promise<T | null | undefined | false> | T | null | undefined | false,
): Promise<T> {
  const giveUpAtMs = Date.now() + GIVE_UP_MS
  for (;;) {
    const answer = await check()
    if (answer !== null && answer !== undefined && answer !== false) return answer
    if (Date.now() > giveUpAtMs) assert.fail(`never came: ${what}`)
    await sleep(POLL_MS)
  }
}

/** Sends bytes over a socket as they are; answers all that came back until the server closed or `done` is satisfied. */
export function raw(port: number, bytes: string | Uint8Array, done: (text: string) => boolean = () => false): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
    const end = (): void => {
      socket.destroy()
      resolve(text)
    }
    socket.setTimeout(GIVE_UP_MS, () => reject(new Error(`no answer to a raw request; so far: ${text}`)))
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      if (done(text)) end()
    })
    socket.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ECONNRESET' || error.code === 'EPIPE' ? end() : reject(error)))
    socket.on('close', end)
  })
}

/** Status of the first answer in raw text. */
export const statusOf = (text: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0)

export function linesIn(dir: string, stem: string): Json[] {
  return readdirSync(dir)
    .filter((name) => name.startsWith(stem) && name.endsWith('.ndjson'))
    .toSorted()
    .flatMap((name) =>
      readFileSync(join(dir, name), 'utf8')
        .split('\n')
        .filter((line) => line !== ''),
    )
    .map((line) => JSON.parse(line) as Json)
}

async function askOf(url: string, init?: RequestInit): Promise<Reply> {
  const response = await fetch(url, init)
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.startsWith('application/json') === true
  return { status: response.status, headers: response.headers, text, json: (isJson ? JSON.parse(text) : null) as Json }
}

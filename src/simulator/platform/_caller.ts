/** A client of the fake platform that knows no manners: it sends what a test tells it to, over real HTTP and real WebSockets. */
import { once } from 'node:events'
import type { TestContext } from 'node:test'
import { WebSocket } from 'ws'
import { startPlatform, type FakePlatform, type PlatformOptions } from './platform.ts'
import { scriptedCentre, type ScriptedCentre } from './_scripted-centre.ts'

export const CREDENTIALS = { clientId: 'client-1', clientSecret: 'secret-1' }

export type Answered = { readonly status: number; readonly headers: Headers; readonly text: string; readonly body: unknown }

export type Scene = {
  readonly centre: ScriptedCentre
  readonly platform: FakePlatform
  /** Calls the API with the token of this scene, or the one given. */
  call(method: string, path: string, body?: unknown, token?: string): Promise<Answered>
  token(): Promise<string>
  /** A channel with these topics. */
  channel(...topics: readonly string[]): Promise<{ readonly id: string; readonly connectUri: string }>
  connect(uri: string, options?: { readonly autoPong?: boolean }): Promise<Line>
}

/** One open socket and the frames that came through it. */
export type Line = {
  readonly socket: WebSocket
  readonly frames: unknown[]
  /** CorrelationIds of the messages that came, in order. */
  ids(): readonly string[]
  send(frame: unknown): void
  /** Resolves when everything the platform sent so far has arrived. */
  settled(): Promise<void>
  readonly closed: Promise<number>
}

export type SceneOptions = Omit<PlatformOptions, 'simulation' | 'credentials'> & { readonly users?: number; readonly queues?: number }

export async function scene(t: TestContext, options: SceneOptions): Promise<Scene> {
  const centre = scriptedCentre(options)
  const platform = await startPlatform({ simulation: centre, credentials: CREDENTIALS, ...options })
  const lines: WebSocket[] = []
  t.after(async () => {
    await platform.stop()
    for (const socket of lines) socket.terminate()
  })
  let held: Promise<string> | null = null
  const call: Scene['call'] = async (method, path, body, token) => {
    const bearer = token ?? (await (held ??= tokenOf(platform)))
    return ask(`${platform.url}${path}`, {
      method,
      redirect: 'manual',
      headers: { authorization: `Bearer ${bearer}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
  }
  return {
    centre,
    platform,
    call,
    token: () => tokenOf(platform),
    async channel(...topics) {
      const { body } = await call('POST', '/api/v2/notifications/channels')
      const channel = body as { readonly id: string; readonly connectUri: string }
      if (topics.length > 0) await call('POST', `/api/v2/notifications/channels/${channel.id}/subscriptions`, listed(topics))
      return channel
    },
    async connect(uri, { autoPong = true } = {}) {
      const socket = new WebSocket(uri, { autoPong })
      lines.push(socket)
      const frames: unknown[] = []
      socket.on('message', (data) => frames.push(JSON.parse((data as Buffer).toString())))
      socket.on('error', () => undefined)
      const closed = new Promise<number>((resolve) => socket.on('close', resolve))
      await once(socket, 'open')
      return {
        socket,
        frames,
        ids: () => frames.flatMap(idOf),
        send: (frame) => socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame)),
        async settled() {
          const before = frames.length
          socket.send(JSON.stringify({ message: 'ping' }))
          while (!frames.slice(before).some((frame) => textOf(frame) === 'pong')) await new Promise((resolve) => setImmediate(resolve))
        },
        closed,
      }
    },
  }
}

export function listed(topics: readonly string[]): readonly object[] {
  return topics.map((id) => ({ id }))
}

export async function ask(url: string, init: RequestInit = {}): Promise<Answered> {
  const response = await fetch(url, init)
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, body: jsonOf(text) }
}

/** The CorrelationId of a frame that is an event. */
function idOf(frame: unknown): readonly string[] {
  const { topicName, metadata } = (frame ?? {}) as { topicName?: string; metadata?: { CorrelationId: string } }
  return metadata === undefined || topicName?.startsWith('v2.system.') === true ? [] : [metadata.CorrelationId]
}

/** The message of a `channel.metadata` frame. */
export function textOf(frame: unknown): string | undefined {
  return (frame as { eventBody?: { message?: string } }).eventBody?.message
}

export function basic({ clientId, clientSecret }: { readonly clientId: string; readonly clientSecret: string }): string {
  return `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`
}

async function tokenOf(platform: FakePlatform): Promise<string> {
  const { body } = await ask(`${platform.url}/oauth/token`, {
    method: 'POST',
    headers: { authorization: basic(CREDENTIALS) },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  })
  return (body as { readonly access_token: string }).access_token
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

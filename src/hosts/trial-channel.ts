/**
 * What the notification source would do, tried once: its channel, its WebSocket, and one topic of each kind that is asked for.
 * The channel is left to Genesys, which removes it after a day, or when others need its place.
 */
import type { Config } from '../config/config.ts'
import type { Channel, Platform, TopicState } from '../genesys/platform.ts'
import type { Clock } from '../pipeline/clock.ts'
import { openSocket } from '../sources/notifications/socket.ts'
import { askedTopics } from '../sources/notifications/topics.ts'

export type TriedTopic = TopicState & { readonly template: string }

export type TriedTopics = {
  readonly tried: readonly TriedTopic[]
  /** Templates for which there was no user, queue or conversation to try them with. */
  readonly untried: readonly string[]
}

type Settings = NonNullable<Config['genesys']['notifications']>

/** Opens the WebSocket of a channel and closes it; rejects with a coded error. */
export async function trySocket(channel: Channel, clock: Clock, signal: AbortSignal): Promise<void> {
  const ignore = (): void => undefined
  const limits = { connectTimeoutMs: CONNECT_TIMEOUT_MS, maxFrameBytes: MAX_FRAME_BYTES }
  const socket = await openSocket({ uri: channel.connectUri, clock, signal, ...limits, onFrame: ignore, onClose: ignore })
  socket.close()
}

/** Subscribes each kind of topic once. */
export async function tryTopics(platform: Platform, channel: Channel, settings: Settings, nowMs: number): Promise<TriedTopics> {
  const asked = askedTopics(settings.topics)
  const kinds = [
    [asked.none, () => Promise.resolve(null)],
    [asked.user, () => firstOf(settings.users, () => platform.users())],
    [asked.queue, () => firstOf(settings.queues, () => platform.queues())],
    [asked.conversation, () => aConversation(platform, nowMs)],
  ] as const
  const untried: string[] = []
  const byTopic = new Map<string, string>()
  for (const [templates, find] of kinds) {
    if (templates.length === 0) continue
    const id = await find()
    for (const template of templates) {
      if (id === null && template.includes('{id}')) untried.push(template)
      else
        byTopic.set(
          template.replace('{id}', () => id ?? ''),
          template,
        )
    }
  }
  const states = byTopic.size === 0 ? [] : await platform.addTopics(channel.id, [...byTopic.keys()])
  return { tried: states.map((state) => ({ ...state, template: byTopic.get(state.topic) ?? state.topic })), untried }
}

const CONNECT_TIMEOUT_MS = 15_000
const MAX_FRAME_BYTES = 1024 * 1024
const RECENT_MS = 600_000

async function firstOf(ids: readonly string[], list: () => Promise<readonly { readonly id: string }[]>): Promise<string | null> {
  const named = ids.find((id) => id !== '*')
  return named ?? (await list())[0]?.id ?? null
}

async function aConversation(platform: Platform, nowMs: number): Promise<string | null> {
  for await (const { conversationId } of platform.conversationDetails({ fromMs: nowMs - RECENT_MS, toMs: nowMs })) return conversationId
  return null
}

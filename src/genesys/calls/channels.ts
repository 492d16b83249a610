/**
 * Notification channels. Creating one is not repeated after an unclear failure: a second channel could push one in use out
 * of the twenty there may be. Adding and replacing topics are: the same topics twice are the same as once.
 */
import { segment, type Caller } from '../caller.ts'
import { readAll } from '../paging.ts'
import type { Channel, TopicState } from '../platform.ts'
import { isLoopback } from '../regions.ts'
import { listAt, required, textAt, textsAt, Unreadable, type JsonObject } from '../reading.ts'

const PATH = '/api/v2/notifications/channels'

export function createChannel(caller: Caller, signal?: AbortSignal): Promise<Channel> {
  return caller.json({ method: 'POST', path: PATH, repeatable: false, signal }, (body) => {
    const id = required(textAt(body, 'id', 300), 'a channel without an id')
    const connectUri = required(textAt(body, 'connectUri'), 'a channel without a connectUri')
    const expiresAtMs = Date.parse(textAt(body, 'expires') ?? '')
    if (!isSafeSocket(connectUri)) throw new Unreadable('a channel whose connectUri is no wss address')
    if (Number.isNaN(expiresAtMs)) throw new Unreadable('a channel without a readable time in "expires"')
    return { id, connectUri, expiresAtMs }
  })
}

export async function channelExists(caller: Caller, id: string, signal?: AbortSignal): Promise<boolean> {
  return caller.exists({ method: 'HEAD', path: `${PATH}/${segment(id)}`, repeatable: true, signal })
}

export function addTopics(
  caller: Caller,
  channelId: string,
  topics: readonly string[],
  signal?: AbortSignal,
): Promise<readonly TopicState[]> {
  return subscribe(caller, 'POST', channelId, topics, signal)
}

export function replaceTopics(
  caller: Caller,
  channelId: string,
  topics: readonly string[],
  signal?: AbortSignal,
): Promise<readonly TopicState[]> {
  return subscribe(caller, 'PUT', channelId, topics, signal)
}

async function subscribe(
  caller: Caller,
  method: 'POST' | 'PUT',
  channelId: string,
  topics: readonly string[],
  signal: AbortSignal | undefined,
): Promise<readonly TopicState[]> {
  const path = `${PATH}/${segment(channelId)}/subscriptions`
  const query = [['ignoreErrors', 'true']] as const
  const call = { method, path, query, body: topics.map((id) => ({ id })), repeatable: true, signal }
  return caller.json(call, (body) => readAll(listAt(body, 'entities'), topicStateOf))
}

function topicStateOf(entity: JsonObject): TopicState | null {
  const topic = textAt(entity, 'id')
  if (topic === null) return null
  return {
    topic,
    permitted: textAt(entity, 'state')?.toLowerCase() !== 'rejected',
    reason: textAt(entity, 'rejectionReason'),
    missingPermissions: textsAt(entity, 'missingPermissions'),
  }
}

function isSafeSocket(uri: string): boolean {
  const url = URL.canParse(uri) ? new URL(uri) : null
  return url !== null && (url.protocol === 'wss:' || (url.protocol === 'ws:' && isLoopback(url.hostname)))
}

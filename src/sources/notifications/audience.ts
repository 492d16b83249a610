/** Whose events are wanted: the users and queues of the configuration, or all that the Platform API lists. */
import type { ConversationDetail, Named, Platform } from '../../genesys/platform.ts'
import type { NotificationSettings } from './settings.ts'
import type { AskedTopics } from './topics.ts'

export type Members = { readonly users: ReadonlySet<string>; readonly queues: ReadonlySet<string> }

/** Ids of users and queues; the API is asked only for what topics need. */
export async function readMembers(
  platform: Platform,
  settings: Pick<NotificationSettings, 'users' | 'queues'>,
  asked: AskedTopics,
  signal: AbortSignal,
): Promise<Members> {
  const all = (wanted: 'all' | readonly string[], topics: readonly string[], read: () => Promise<readonly { readonly id: string }[]>) =>
    topics.length === 0 ? [] : wanted === 'all' ? read().then((found) => found.map(({ id }) => id)) : wanted
  const users = await all(settings.users, asked.user, () => platform.users(signal))
  const queues = await all(settings.queues, asked.queue, () => platform.queues(signal))
  return { users: new Set(users), queues: new Set(queues) }
}

/** What is wrong with the ids that `settings` name: those the organization does not have. Reads whole lists, so it is for once. */
export async function unknownIds(
  platform: Platform,
  settings: Pick<NotificationSettings, 'users' | 'queues'>,
  asked: AskedTopics,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const users = asked.user.length === 0 || settings.users === 'all' ? [] : settings.users
  const queues = asked.queue.length === 0 || settings.queues === 'all' ? [] : settings.queues
  return [
    ...(users.length === 0 ? [] : strangers('user', users, await platform.users(signal))),
    ...(queues.length === 0 ? [] : strangers('queue', queues, await platform.queues(signal))),
  ]
}

function strangers(kind: string, ids: readonly string[], there: readonly Named[]): readonly string[] {
  const known = new Set(there.map(({ id }) => id.toLowerCase()))
  return ids
    .filter((id) => !known.has(id.toLowerCase()))
    .map((id) => {
      const meant = there.find(({ name }) => name.toLowerCase() === id.toLowerCase())
      const what = `"${id}" in genesys.notifications.${kind}s is not the id of ${kind === 'user' ? 'an active user' : 'a queue'}`
      return meant === undefined
        ? `${what} of the organization that the OAuth client can see`
        : `${what}, but a name: the id is ${meant.id}`
    })
}

/** Whether a conversation is one that `learning` topics of these users and queues would have told of. */
export function concernsOf(learning: readonly string[], members: () => Members): (conversation: ConversationDetail) => boolean {
  const byUser = learning.some((topic) => topic.startsWith('v2.users.'))
  const byQueue = learning.some((topic) => topic.startsWith('v2.routing.queues.'))
  return ({ participants }) => {
    const { users, queues } = members()
    for (const { userId, sessions } of participants ?? []) {
      if (byUser && userId !== undefined && users.has(userId)) return true
      if (!byQueue) continue
      for (const { segments } of sessions ?? []) {
        for (const { queueId } of segments ?? []) if (queueId !== undefined && queues.has(queueId)) return true
      }
    }
    return false
  }
}

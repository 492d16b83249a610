/** Whose events are wanted: the users and queues of the configuration, or all that the Platform API lists. */
import type { ConversationDetail, Platform } from '../../genesys/platform.ts'
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

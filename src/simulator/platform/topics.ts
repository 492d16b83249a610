/** Which topics a client may subscribe to, and which topic names a subscription stands for (`v2.users.<id>?presence&activity` is two). */
import { templateOf } from '../../event/topics.ts'
import type { Centre } from '../simulation.ts'

export type Verdict =
  | { readonly ok: true; readonly names: readonly string[] }
  | { readonly ok: false; readonly reason: string; readonly missingPermissions: readonly string[] }

/** Judges subscriptions for one centre: users and queues must exist there; a conversation may be one that is still to come. */
export function topicJudge(centre: Centre, forbidden: Readonly<Record<string, string>>): (topic: string) => Verdict {
  const users = new Set(centre.users.map(({ id }) => id))
  const queues = new Set(centre.queues.map(({ id }) => id))
  return (topic) => {
    if (topic.length > MAX_TOPIC_LENGTH) return rejected(`topic is longer than ${MAX_TOPIC_LENGTH} characters`)
    const names = namesOf(topic)
    if (names.length === 0) return rejected('topic is empty')
    for (const name of names) {
      if (/[^\w.-]/.test(name)) return rejected('topic has characters that no topic has; there are no wildcards')
      const { topic: template, params, known } = templateOf(name)
      if (!known || (template === name && template.includes('{id}'))) return rejected('topic does not exist')
      const permission = Object.hasOwn(forbidden, template) ? forbidden[template] : undefined
      if (permission !== undefined) return { ok: false, reason: 'missing permissions', missingPermissions: [permission] }
      const [id = ''] = params
      if (template.startsWith('v2.users.{id}.') && !users.has(id)) return rejected('user does not exist')
      if (template.startsWith('v2.routing.queues.{id}.') && !queues.has(id)) return rejected('queue does not exist')
    }
    return { ok: true, names }
  }
}

const MAX_TOPIC_LENGTH = 200

/** The topic names that a subscription stands for. */
function namesOf(topic: string): readonly string[] {
  const mark = topic.indexOf('?')
  if (mark < 0) return topic === '' ? [] : [topic]
  const kinds = topic.slice(mark + 1).split('&')
  return [...new Set(kinds)].map((kind) => `${topic.slice(0, mark)}.${kind}`)
}

function rejected(reason: string): Verdict {
  return { ok: false, reason, missingPermissions: [] }
}

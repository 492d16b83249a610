/** The notification calls: channels and their subscriptions. Topics that are refused say why; too many are refused whole. */
import { badRequest, NOT_FOUND, objectOf, problem, type Answer, type Call } from './answer.ts'
import type { Channel, Channels, Subscription } from './channels.ts'
import type { Route } from './router.ts'
import type { Verdict } from './topics.ts'

const CHANNELS = '/api/v2/notifications/channels'
const SUBSCRIPTIONS = `${CHANNELS}/{id}/subscriptions`

export type NotificationOptions = {
  readonly channels: Channels
  readonly judge: (topic: string) => Verdict
  readonly connectUri: (channelId: string) => string
}

export function notificationRoutes(options: NotificationOptions): readonly Route[] {
  const { channels } = options
  const channelBody = ({ id, expiresAtMs }: Channel): object => ({
    id,
    connectUri: options.connectUri(id),
    expires: new Date(expiresAtMs).toISOString(),
  })
  const own =
    (answer: (channel: Channel, call: Call) => Answer) =>
    (call: Call): Answer => {
      const channel = channels.find(call.params[0]!)
      return channel === null ? NOT_FOUND : answer(channel, call)
    }
  return [
    { method: 'POST', path: CHANNELS, answer: ({ clientId }) => ({ status: 200, body: channelBody(channels.create(clientId)) }) },
    {
      method: 'GET',
      path: CHANNELS,
      answer: ({ clientId }) => ({ status: 200, body: { entities: channels.of(clientId).map(channelBody) } }),
    },
    { method: 'HEAD', path: `${CHANNELS}/{id}`, answer: own(() => ({ status: 200 })) },
    { method: 'GET', path: SUBSCRIPTIONS, answer: own((channel) => ({ status: 200, body: { entities: statesOf(channel) } })) },
    { method: 'POST', path: SUBSCRIPTIONS, answer: own((channel, call) => subscribe(options, channel, call, 'add')) },
    { method: 'PUT', path: SUBSCRIPTIONS, answer: own((channel, call) => subscribe(options, channel, call, 'replace')) },
    {
      method: 'DELETE',
      path: SUBSCRIPTIONS,
      answer: own((channel) => {
        channels.unsubscribe(channel)
        return { status: 204 }
      }),
    },
  ]
}

function subscribe({ channels, judge }: NotificationOptions, channel: Channel, call: Call, mode: 'add' | 'replace'): Answer {
  const topics = topicsOf(call.body)
  if (topics === null) return badRequest('The body must be a list of objects with an id.')
  const verdicts = topics.map((topic) => ({ topic, verdict: judge(topic) }))
  const refused = verdicts.find(({ verdict }) => !verdict.ok)
  if (refused !== undefined && call.query.get('ignoreErrors') !== 'true')
    return problem(
      400,
      'notification.topic.rejected',
      `Topic ${refused.topic.slice(0, 300)}: ${refused.verdict.ok ? '' : refused.verdict.reason}.`,
    )
  const accepted = verdicts.flatMap(({ topic, verdict }): Subscription[] => (verdict.ok ? [{ topic, names: verdict.names }] : []))
  const kept = new Set(accepted.map(({ topic }) => topic))
  // Judged before anything is taken away: a replacement that is too large leaves all as it was.
  if (mode === 'replace' && kept.size > channels.topicsPerChannel) return TOO_MANY_TOPICS
  if (mode === 'replace') channels.unsubscribe(channel, kept)
  if (!channels.subscribe(channel, accepted)) return TOO_MANY_TOPICS
  const entities = verdicts.map(({ topic, verdict }) =>
    verdict.ok
      ? { id: topic, state: 'Permitted' }
      : { id: topic, state: 'Rejected', rejectionReason: verdict.reason, missingPermissions: verdict.missingPermissions },
  )
  return { status: 200, body: { entities } }
}

const TOO_MANY_TOPICS = problem(400, 'notification.too.many.topics', 'A channel can have no more topics.')

function topicsOf(body: unknown): readonly string[] | null {
  if (!Array.isArray(body)) return null
  const ids = body.map((entry) => objectOf(entry)?.['id'])
  return ids.every((id) => typeof id === 'string') ? ids : null
}

function statesOf(channel: Channel): readonly object[] {
  return [...channel.topics.keys()].map((id) => ({ id, state: 'Permitted' }))
}

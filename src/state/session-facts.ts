/** The facts of `*.start` and `*.end`: one shape for customer, flow, queue, agent and voicemail. */
import type { JsonObject } from '../event/json.ts'
import type { Ended, Side, Started } from './fact.ts'
import { durationAt, wordAt } from './fields.ts'

/** The fact of a `*.start` event. */
export function startedFact(of: string, atMs: number, side: Side, body: JsonObject): Started {
  const participantId = wordAt(body, 'participantId')
  const isCustomer = side === 'customer'
  return {
    kind: 'started',
    of,
    atMs,
    side,
    sessionId: wordAt(body, 'sessionId') ?? participantId ?? '',
    participantId,
    mediaType: wordAt(body, 'mediaType'),
    direction: wordAt(body, 'direction'),
    provider: isCustomer ? wordAt(body, 'provider') : null,
    messageType: isCustomer ? wordAt(body, 'messageType') : null,
    from: isCustomer ? (wordAt(body, 'ani') ?? wordAt(body, 'addressFrom')) : null,
    to: isCustomer ? (wordAt(body, 'dnis') ?? wordAt(body, 'addressTo')) : null,
    userId: side === 'user' ? wordAt(body, 'userId') : null,
    queueId: wordAt(body, 'queueId'),
    flowId: side === 'flow' ? wordAt(body, 'flowId') : null,
    flowType: side === 'flow' ? wordAt(body, 'flowType') : null,
  }
}

/** The fact of an `*.end` event. */
export function endedFact(of: string, atMs: number, side: Side, body: JsonObject): Ended {
  const participantId = wordAt(body, 'participantId')
  const isUser = side === 'user'
  return {
    kind: 'ended',
    of,
    atMs,
    side,
    sessionId: wordAt(body, 'sessionId') ?? participantId ?? '',
    participantId,
    mediaType: wordAt(body, 'mediaType'),
    userId: isUser ? wordAt(body, 'userId') : null,
    queueId: wordAt(body, 'queueId'),
    flowId: side === 'flow' ? wordAt(body, 'flowId') : null,
    disconnectType: wordAt(body, 'disconnectType'),
    outcome: side === 'acd' ? wordAt(body, 'acdOutcome') : side === 'flow' ? wordAt(body, 'exitReason') : null,
    answeredUserId: side === 'acd' ? wordAt(body, 'answeredUserId') : null,
    connectedMs: durationAt(body, side === 'voicemail' ? 'voicemailDurationMs' : 'connectedDurationMs'),
    alertMs: isUser ? durationAt(body, 'alertingDurationMs') : null,
    dialMs: isUser ? dialMs(body) : null,
    talkMs: isUser ? durationAt(body, 'interactingDurationMs') : null,
    holdMs: isUser ? durationAt(body, 'heldDurationMs') : null,
  }
}

function dialMs(body: JsonObject): number | null {
  const contacting = durationAt(body, 'contactingDurationMs')
  const dialing = durationAt(body, 'dialingDurationMs')
  const callback = durationAt(body, 'callbackDurationMs')
  return contacting === null && dialing === null && callback === null ? null : (contacting ?? 0) + (dialing ?? 0) + (callback ?? 0)
}

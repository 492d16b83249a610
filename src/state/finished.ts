/**
 * A conversation that has finished: closed, and no agent is at work on it any more. It is told as of its newest fact, so that the same
 * facts give the same text, whenever it is told and in whatever order they came.
 */
import type { ConversationState } from './conversation-state.ts'
import type { State } from './state.ts'

/** The conversation, and the ids that limits and receivers go by. */
export type FinishedConversation = ConversationState & {
  /** The last queue it was in. */
  readonly queueId: string | null
  /** The last agent who was part of it. */
  readonly userId: string | null
}

/** What there is to tell of a conversation by all that is known; `open` also when nothing is. With `waitedEnough`, agents whose end nobody told count as done. */
export function finishedConversation(state: State, id: string, waitedEnough: boolean): FinishedConversation | 'open' | 'agents at work' {
  const told = state.closed(id)
  if (told === null) return 'open'
  if (told.agentsAtWork > 0 && !waitedEnough) return 'agents at work'
  return {
    ...told,
    queueId: told.queueVisits.at(-1)?.queueId ?? told.agentLegs.at(-1)?.queueId ?? null,
    userId: told.agentLegs.findLast(({ userId }) => userId !== null)?.userId ?? null,
  }
}

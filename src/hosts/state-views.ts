/**
 * Conversations, agents and queues as they are told: the state, and beside it what others know of them: the names of ids from the
 * directory, and what a queue's service level is measured by. The same in lists, alone, and as changes.
 */
import type { Directory, DirectoryKind } from '../genesys/directory.ts'
import { namesOf, type DocumentNames } from '../genesys/names-in-document.ts'
import type { AgentState } from '../state/agent-state.ts'
import type { ConversationState } from '../state/conversation-state.ts'
import type { QueueState } from '../state/queue-state.ts'
import type { GoalBook, ServiceGoals } from './service-goals.ts'

type Named = { readonly names: DocumentNames }
export type ConversationView = ConversationState & Named
export type AgentView = AgentState & Named & { readonly name: string | null; readonly divisionId: string | null }
export type QueueView = QueueState &
  Named & {
    readonly name: string | null
    readonly divisionId: string | null
    readonly goals: ServiceGoals
  }

export class StateViews {
  readonly #directory: Pick<Directory, 'nameOf' | 'divisionOf'> | null
  readonly #goals: GoalBook

  /** `directory` is null when no OAuth client is configured. */
  constructor(directory: Pick<Directory, 'nameOf' | 'divisionOf'> | null, goals: GoalBook) {
    this.#directory = directory
    this.#goals = goals
  }

  readonly conversation = (conversation: ConversationState): ConversationView => ({ ...conversation, names: this.#beside(conversation) })

  readonly agent = (agent: AgentState): AgentView => {
    const divisionId = this.#directory?.divisionOf('users', agent.userId) ?? null
    return { ...agent, name: this.nameOf('users', agent.userId), divisionId, names: this.#beside({ ...agent, divisionId }) }
  }

  readonly queue = (queue: QueueState): QueueView => {
    const { queueId } = queue
    const divisionId = this.#directory?.divisionOf('queues', queueId) ?? null
    return {
      ...queue,
      name: this.nameOf('queues', queueId),
      divisionId,
      goals: this.#goals.of(queueId),
      names: this.#beside({ ...queue, divisionId }),
    }
  }

  nameOf(kind: DirectoryKind, id: string): string | null {
    return this.#directory?.nameOf(kind, id)?.name ?? null
  }

  #beside(thing: object): DocumentNames {
    return this.#directory === null ? {} : namesOf(thing, this.#directory)
  }
}

/**
 * Conversations, agents and queues as they are told: the state, and beside it what others know of them: the names of ids from the
 * directory, and what a queue's service level is measured by. The same in lists, alone, and as changes.
 */
import type { DirectoryKind, Names } from '../genesys/directory.ts'
import { namesOf, type DocumentNames } from '../genesys/names-in-document.ts'
import type { AgentState } from '../state/agent-state.ts'
import type { ConversationState } from '../state/conversation-state.ts'
import type { QueueState } from '../state/queue-state.ts'
import type { GoalBook, ServiceGoals } from './service-goals.ts'

type Named = { readonly names: DocumentNames }
export type ConversationView = ConversationState & Named
export type AgentView = AgentState & Named & { readonly name: string | null }
export type QueueView = QueueState & Named & { readonly name: string | null; readonly goals: ServiceGoals }

export class StateViews {
  readonly #names: Names | null
  readonly #goals: GoalBook

  /** `names` is null when no OAuth client is configured. */
  constructor(names: Names | null, goals: GoalBook) {
    this.#names = names
    this.#goals = goals
  }

  readonly conversation = (conversation: ConversationState): ConversationView => ({ ...conversation, names: this.#beside(conversation) })

  readonly agent = (agent: AgentState): AgentView => ({
    ...agent,
    name: this.nameOf('users', agent.userId),
    names: this.#beside(agent),
  })

  readonly queue = (queue: QueueState): QueueView => ({
    ...queue,
    name: this.nameOf('queues', queue.queueId),
    goals: this.#goals.of(queue.queueId),
    names: this.#beside(queue),
  })

  nameOf(kind: DirectoryKind, id: string): string | null {
    return this.#names?.nameOf(kind, id)?.name ?? null
  }

  #beside(thing: object): DocumentNames {
    return this.#names === null ? {} : namesOf(thing, this.#names)
  }
}

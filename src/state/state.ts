/**
 * What the events add up to: conversations, agents, queues. The law: an entity's state is a projection of the SET of its facts, so
 * the order in which they are applied and how often makes no difference, and neither does writing everything down and
 * reading it back in between. Time comes from the facts, never from a clock: a closed conversation is frozen when the newest fact of
 * all is `horizonMs` newer than its own; a fact older than that horizon is too late for a conversation that is frozen or unknown,
 * and changes nothing. No facts are taken that are dated ahead of the clock.
 *
 * What is asked for as of an instant is what was so then by all that is known now; facts that have not been applied are missing.
 */
import type { AgentState } from './agent-state.ts'
import type { ConversationState } from './conversation-state.ts'
import type { EntityKind, Fact } from './fact.ts'
import type { FactLimits } from './fact-set.ts'
import type { Recall } from './memory.ts'
import type { Interval, QueueState, ServiceLevelOf } from './queue-state.ts'

export type StateOptions = {
  /** How much older than the newest a fact may be to change a conversation that is closed. */
  readonly horizonMs: number
  /** How far ahead of the clock a fact may be dated. */
  readonly skewMs: number
  /** Conversations and agents in memory. */
  readonly entities: number
  /** A closed conversation takes less room after so long without a fact. */
  readonly packAfterMs: number
  readonly facts: FactLimits
  /** Somebody stores what is `unstored`: then nothing goes from memory unwritten, as long as that is done. */
  readonly stored: boolean
  /** An entity that changes is written so many batches later; until then its facts are in the batches. */
  readonly rowsAfterBatches: number
  /** Reads the row of an entity that is not in memory. */
  readonly recall: Recall | null
  readonly serviceLevel: ServiceLevelOf
}

/** An entity as it is to be written down. */
export type Row = {
  readonly kind: EntityKind
  readonly id: string
  readonly chunk: string
  readonly version: number
  /** Of conversations: when they began and ended, null while open. */
  readonly startedAtMs: number | null
  readonly endedAtMs: number | null
  readonly newestAtMs: number
  readonly frozen: boolean
}

/** What a store takes at a time, all or nothing. */
export type Batch = {
  readonly rows: readonly Row[]
  /** The facts that came since the batch before, as text; null when rows have them all. */
  readonly facts: string | null
  readonly factCount: number
  /** Of so many of the last batches, this one among them, the facts are to be kept: not all of them are in rows. */
  readonly pending: number
}

/** What changed, as it is now. */
export type Changes = {
  readonly conversations: readonly ConversationState[]
  readonly agents: readonly AgentState[]
  readonly queues: readonly QueueState[]
  /** There are more; ask again. */
  readonly more: boolean
}

/** Counts since the start. */
export type StateStats = {
  readonly conversations: number
  readonly agents: number
  readonly packed: number
  /** Conversations with more facts than are kept. */
  readonly gaveUp: number
  readonly unwritten: number
  readonly applied: number
  /** Facts that were there already. */
  readonly repeated: number
  readonly tooLate: number
  /** Dated ahead of the clock. */
  readonly ahead: number
  readonly frozen: number
  readonly evicted: number
  readonly lost: number
  readonly recalled: number
  readonly unreadable: number
}

/** Asks for conversations: those open, or closed since; the newest first. */
export type ConversationFilter = { readonly open?: boolean; readonly closedSinceMs?: number; readonly max: number }

export interface State {
  /** Time of the newest fact. */
  readonly newestAtMs: number
  /** Counts of queues for intervals from this instant on are whole; before, conversations have been forgotten. */
  readonly completeSinceMs: number
  readonly stats: StateStats
  /** Adds facts, and takes them over. `nowMs` is when their event was received: only facts dated ahead of it are refused. */
  apply(facts: readonly Fact[], nowMs: number): void
  conversation(id: string, asOfMs: number): ConversationState | null
  /** A conversation that is closed by all that is known, as of its newest fact or its end; null when it is open, or nobody knows it. */
  closed(id: string): ConversationState | null
  conversations(filter: ConversationFilter, asOfMs: number): readonly ConversationState[]
  /** Conversations that closed at or after an instant, the first that closed in front. */
  closedSince(sinceMs: number, max: number): readonly { readonly id: string; readonly endedAtMs: number }[]
  /** Open conversations of which nothing was heard since an instant, the most silent in front. */
  silentSince(sinceMs: number, max: number): readonly { readonly id: string; readonly newestAtMs: number }[]
  /** The same, and closed conversations that an agent has not left by what is known. */
  unfinishedSince(sinceMs: number, max: number): readonly { readonly id: string; readonly newestAtMs: number }[]
  agent(id: string, asOfMs: number): AgentState | null
  agents(asOfMs: number): readonly AgentState[]
  queues(asOfMs: number, interval: Interval): readonly QueueState[]
  /** What changed since this was asked last. */
  changes(asOfMs: number, interval: Interval, max: number): Changes
  /** What is to be stored now, or everything that is not in rows yet; `stored` says that it is. Tidies when it is time. */
  unstored(whole?: boolean): Batch
  stored(batch: Batch): void
  /** Everything there is, entity by entity. */
  snapshot(): Iterable<Row>
  /** Adds what a snapshot or a row holds; false when it is no chunk. */
  restore(chunk: string): boolean
  /** Adds the facts of a batch, after the rows, batch after batch: all that are pending. */
  restoreFacts(text: string): boolean
  /** Takes over the time of a state whose rows are restored: of entities that are not restored nothing else is left. */
  resume(times: Pick<State, 'newestAtMs' | 'completeSinceMs'>): void
  /** Freezes what is due, and packs what is quiet. To be called before states are compared. */
  tidy(): void
}

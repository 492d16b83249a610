/** The state in memory; its law is told in state.ts. Entities are folded one by one, queues and the conversations of agents are counted out of them when asked for. */
import { agentState, queuesOf, type AgentState } from './agent-state.ts'
import { fromText } from './chunk.ts'
import { conversationState, type ConversationState } from './conversation-state.ts'
import { aboutOf, type Fact } from './fact.ts'
import { DEFAULT_FACT_LIMITS } from './fact-set.ts'
import type { Held } from './held.ts'
import { Memory } from './memory.ts'
import { DEFAULT_SERVICE_LEVEL, QueueCount, type Interval, type QueueState } from './queue-state.ts'
import type { Batch, Changes, ConversationFilter, Row, State, StateOptions, StateStats } from './state.ts'
import { DEFAULT_SKEW_MS } from './times.ts'
import { Unwritten } from './unwritten.ts'

/** An empty state. */
export function createState(options: Partial<StateOptions> = {}): State {
  return new FoldedState({ ...DEFAULTS, ...options })
}

const DEFAULTS: StateOptions = {
  horizonMs: 24 * 3_600_000,
  skewMs: DEFAULT_SKEW_MS,
  entities: 50_000,
  packAfterMs: 60_000,
  facts: DEFAULT_FACT_LIMITS,
  stored: false,
  rowsAfterBatches: 32,
  recall: null,
  serviceLevel: () => DEFAULT_SERVICE_LEVEL,
}

class FoldedState implements State {
  readonly #options: StateOptions
  readonly #memory: Memory
  #newestAtMs = -Infinity
  #tidiedAtMs = -Infinity
  readonly #unwritten: Unwritten
  readonly #untold = new Set<Held>()
  readonly #counts = { applied: 0, repeated: 0, tooLate: 0, ahead: 0, frozen: 0 }

  constructor(options: StateOptions) {
    this.#options = options
    // The others can go when there is no more room.
    this.#unwritten = new Unwritten({ ...options, max: options.entities >> 2 })
    this.#memory = new Memory(options, (held) => {
      this.#unwritten.forget(held)
      this.#untold.delete(held)
    })
  }

  get newestAtMs(): number {
    return this.#newestAtMs
  }

  get completeSinceMs(): number {
    return this.#memory.completeSinceMs
  }

  get stats(): StateStats {
    const { conversations, agents, evicted, lost, recalled, unreadable } = this.#memory
    let packed = 0
    let gaveUp = 0
    for (const held of conversations.values()) {
      if (held.isPacked) packed++
      if (held.gaveUp) gaveUp++
    }
    return {
      conversations: conversations.size,
      agents: agents.size,
      packed,
      gaveUp,
      unwritten: this.#unwritten.size,
      ...this.#counts,
      evicted,
      lost,
      recalled,
      unreadable,
    }
  }

  apply(facts: readonly Fact[], nowMs: number): void {
    for (const fact of facts) {
      if (fact.atMs > nowMs + this.#options.skewMs) {
        this.#counts.ahead++
        continue
      }
      if (fact.atMs > this.#newestAtMs) this.#newestAtMs = fact.atMs
      const held = this.#entityFor(fact)
      if (held === null) this.#counts.tooLate++
      else if (held.add(fact)) {
        this.#counts.applied++
        this.#tell(held)
        if (this.#options.stored) this.#unwritten.add(held, fact)
      } else this.#counts.repeated++
    }
  }

  conversation(id: string, asOfMs: number): ConversationState | null {
    const held = this.#memory.find('conversation', id)
    return held === null ? null : conversationOf(held, asOfMs)
  }

  closed(id: string): ConversationState | null {
    const held = this.#memory.find('conversation', id)
    // Figures are there already, mostly; the rest is worked out only for those that are asked for.
    if (held === null || held.figures.closedAtMs === null) return null
    const state = conversationOf(held, Math.max(held.newestAtMs, held.figures.closedAtMs))
    return state === null || state.open ? null : state
  }

  conversations({ open, closedSinceMs, max }: ConversationFilter, asOfMs: number): readonly ConversationState[] {
    const found: Held[] = []
    for (const held of this.#live()) {
      const { startedAtMs, closedAtMs } = held.figures
      const isOpen = closedAtMs === null || closedAtMs > asOfMs
      if (startedAtMs > asOfMs || (open !== undefined && open !== isOpen)) continue
      if (closedSinceMs !== undefined && (closedAtMs === null || closedAtMs < closedSinceMs)) continue
      found.push(held)
    }
    found.sort((a, b) => b.figures.startedAtMs - a.figures.startedAtMs || compareIds(a, b))
    const states: ConversationState[] = []
    for (const held of found) {
      if (states.length === max) break
      const state = conversationOf(held, asOfMs)
      if (state !== null) states.push(state)
    }
    return states
  }

  closedSince(sinceMs: number, max: number): readonly { readonly id: string; readonly endedAtMs: number }[] {
    const closed: { readonly id: string; readonly endedAtMs: number }[] = []
    for (const { id, figures } of this.#live())
      if (figures.closedAtMs !== null && figures.closedAtMs >= sinceMs) closed.push({ id, endedAtMs: figures.closedAtMs })
    return closed.sort((a, b) => a.endedAtMs - b.endedAtMs || compareIds(a, b)).slice(0, max)
  }

  silentSince(sinceMs: number, max: number): readonly { readonly id: string; readonly newestAtMs: number }[] {
    return this.#silent(sinceMs, max, ({ figures }) => figures.closedAtMs === null)
  }

  unfinishedSince(sinceMs: number, max: number): readonly { readonly id: string; readonly newestAtMs: number }[] {
    return this.#silent(
      sinceMs,
      max,
      ({ figures }) => figures.closedAtMs === null || figures.legs.some(({ endedAtMs }) => endedAtMs === null),
    )
  }

  agent(id: string, asOfMs: number): AgentState | null {
    const held = this.#memory.find('agent', id)
    const ids = this.#conversationsOfAgents(asOfMs).get(id)
    if (held === null && ids === undefined) return null
    return agentState(id, held?.facts ?? [], ids ?? [], asOfMs)
  }

  agents(asOfMs: number): readonly AgentState[] {
    const conversationIds = this.#conversationsOfAgents(asOfMs)
    const ids = new Set([...this.#memory.agents.keys(), ...conversationIds.keys()])
    return [...ids].sort().map((id) => this.#agentState(id, conversationIds, asOfMs))
  }

  queues(asOfMs: number, interval: Interval): readonly QueueState[] {
    return this.#countQueues(asOfMs, interval).states()
  }

  changes(asOfMs: number, interval: Interval, max: number): Changes {
    const conversations: ConversationState[] = []
    const userIds = new Set<string>()
    const queueIds = new Set<string>()
    let left = max
    for (const held of this.#untold) {
      if (left-- <= 0) break
      this.#untold.delete(held)
      held.untold = false
      if (held.kind === 'agent') {
        userIds.add(held.id)
        continue
      }
      const state = held.frozen ? null : conversationOf(held, asOfMs)
      if (state !== null) conversations.push(state)
      for (const figures of [held.told, held.figures]) {
        for (const { queueId } of figures?.visits ?? []) if (queueId !== null) queueIds.add(queueId)
        for (const { userId, queueId } of figures?.legs ?? []) {
          if (userId !== null) userIds.add(userId)
          if (queueId !== null) queueIds.add(queueId)
        }
      }
      held.told = held.figures
    }
    const more = this.#untold.size > 0
    if (userIds.size + queueIds.size === 0) return { conversations, agents: [], queues: [], more }
    const conversationIds = this.#conversationsOfAgents(asOfMs)
    const agents = [...userIds].sort().map((id) => this.#agentState(id, conversationIds, asOfMs))
    const count = queueIds.size === 0 ? null : this.#countQueues(asOfMs, interval)
    const queues = count === null ? [] : [...queueIds].sort().map((id) => count.state(id))
    return { conversations, agents, queues, more }
  }

  unstored(whole = false): Batch {
    // Looks at everything in memory: now and then is enough.
    if (whole || this.#newestAtMs - this.#tidiedAtMs >= this.#options.packAfterMs / 2) this.tidy()
    return this.#unwritten.batch(rowOf, whole)
  }

  stored(batch: Batch): void {
    this.#unwritten.stored(batch, ({ kind, id }) => this.#memory.here(kind, id))
    for (const { kind, id, frozen } of batch.rows) {
      const held = frozen ? this.#memory.here(kind, id) : undefined
      if (held?.frozen === true && !held.unwritten) this.#memory.forget(held)
    }
  }

  *snapshot(): Iterable<Row> {
    for (const held of this.#memory.conversations.values()) yield rowOf(held)
    for (const held of this.#memory.agents.values()) yield rowOf(held)
  }

  restore(chunk: string): boolean {
    const held = this.#memory.restore(chunk)
    if (held === null) return false
    if (held.newestAtMs > this.#newestAtMs) this.#newestAtMs = held.newestAtMs
    if (held.version > 0) {
      this.#tell(held)
      if (this.#options.stored) this.#unwritten.hurry(held)
    } else if (held.kind === 'conversation' && !held.frozen) held.told = held.figures
    this.#packIfQuiet(held)
    return true
  }

  restoreFacts(text: string): boolean {
    const facts = fromText(text)
    if (facts === null) this.#memory.unreadable++
    for (const fact of facts ?? []) {
      const kind = aboutOf(fact.kind)
      const held = this.#memory.find(kind, fact.of) ?? this.#memory.open(kind, fact.of)
      if (held.frozen) {
        // It has been frozen since, with this fact; only one that is newer than all of them has thawed it.
        if (fact.atMs <= held.newestAtMs) continue
        this.#memory.thaw(held)
      }
      if (held.add(fact)) this.#unwritten.wait(held)
      if (fact.atMs > this.#newestAtMs) this.#newestAtMs = fact.atMs
    }
    this.#unwritten.pass()
    return facts !== null
  }

  resume({ newestAtMs, completeSinceMs }: Pick<State, 'newestAtMs' | 'completeSinceMs'>): void {
    this.#newestAtMs = Math.max(this.#newestAtMs, newestAtMs)
    this.#memory.completeSinceMs = Math.max(this.#memory.completeSinceMs, completeSinceMs)
  }

  tidy(): void {
    this.#tidiedAtMs = this.#newestAtMs
    for (const held of this.#memory.conversations.values()) {
      if (held.frozen) continue
      if (this.#isDue(held)) this.#freeze(held)
      else this.#packIfQuiet(held)
    }
  }

  /**
   * The entity that a fact is of; null when it comes too late: older than the horizon, and of a conversation that is frozen or that nobody
   * knows (any more). A newer one thaws its conversation.
   */
  #entityFor(fact: Fact): Held | null {
    const kind = aboutOf(fact.kind)
    const held = this.#memory.find(kind, fact.of)
    if (kind === 'agent') return held ?? this.#memory.open(kind, fact.of)
    const isOld = fact.atMs < this.#newestAtMs - this.#options.horizonMs
    if (held === null) return isOld ? null : this.#memory.open(kind, fact.of)
    if (isOld && !held.frozen && this.#isDue(held)) this.#freeze(held)
    if (!held.frozen) return held
    if (isOld) return null
    this.#memory.thaw(held)
    if (this.#options.stored) this.#unwritten.hurry(held)
    return held
  }

  #silent(sinceMs: number, max: number, wanted: (held: Held) => boolean): readonly { readonly id: string; readonly newestAtMs: number }[] {
    const silent: Held[] = []
    for (const held of this.#live()) if (held.newestAtMs < sinceMs && wanted(held)) silent.push(held)
    silent.sort((a, b) => a.newestAtMs - b.newestAtMs || compareIds(a, b))
    return silent.slice(0, max).map(({ id, newestAtMs }) => ({ id, newestAtMs }))
  }

  /** Closed, and no fact for as long as the horizon. */
  #isDue(held: Held): boolean {
    if (this.#newestAtMs - held.newestAtMs <= this.#options.horizonMs) return false
    return held.figures.closedAtMs !== null || held.figures.sessions === 0
  }

  #freeze(held: Held): void {
    held.freeze()
    this.#counts.frozen++
    this.#memory.missing(held)
    if (this.#options.stored) this.#unwritten.hurry(held)
    else this.#memory.forget(held)
    this.#untold.delete(held)
  }

  #packIfQuiet(held: Held): void {
    if (held.kind === 'agent' || held.isPacked || held.frozen || this.#newestAtMs - held.newestAtMs < this.#options.packAfterMs) return
    if (!held.isOpenForSure && held.figures.closedAtMs !== null) held.pack()
  }

  #tell(held: Held): void {
    if (held.untold) return
    held.untold = true
    this.#untold.add(held)
  }

  *#live(): Iterable<Held> {
    for (const held of this.#memory.conversations.values()) if (!held.frozen) yield held
  }

  #conversationsOfAgents(asOfMs: number): Map<string, string[]> {
    const ids = new Map<string, string[]>()
    for (const { id, figures } of this.#live()) {
      for (const { userId, startedAtMs, endedAtMs } of figures.legs) {
        if (userId === null || startedAtMs > asOfMs || (endedAtMs !== null && endedAtMs <= asOfMs)) continue
        const own = ids.get(userId)
        if (own === undefined) ids.set(userId, [id])
        else if (!own.includes(id)) own.push(id)
      }
    }
    for (const own of ids.values()) own.sort()
    return ids
  }

  #agentState(id: string, conversationIds: ReadonlyMap<string, readonly string[]>, asOfMs: number): AgentState {
    return agentState(id, this.#memory.agents.get(id)?.facts ?? [], conversationIds.get(id) ?? [], asOfMs)
  }

  #countQueues(asOfMs: number, interval: Interval): QueueCount {
    const count = new QueueCount(asOfMs, interval, this.#options.serviceLevel)
    for (const { figures } of this.#live()) count.addConversation(figures)
    for (const { facts } of this.#memory.agents.values()) {
      const routing = facts.findLast(({ kind, atMs }) => kind === 'routing' && atMs <= asOfMs)
      count.addAgent(queuesOf(facts, asOfMs), routing?.kind === 'routing' && routing.status !== 'OFF_QUEUE')
    }
    return count
  }
}

function conversationOf(held: Held, asOfMs: number): ConversationState | null {
  const { facts } = held
  return conversationState(held.id, facts, held.gaveUp, asOfMs)
}

function rowOf(held: Held): Row {
  const { kind, id, version, newestAtMs, frozen } = held
  const figures = kind === 'conversation' ? held.figures : null
  return {
    kind,
    id,
    chunk: held.chunk(),
    version,
    startedAtMs: figures?.startedAtMs ?? null,
    endedAtMs: figures?.closedAtMs ?? null,
    newestAtMs,
    frozen,
  }
}

function compareIds(a: { readonly id: string }, b: { readonly id: string }): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0
}

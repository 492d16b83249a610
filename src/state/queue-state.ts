/**
 * A queue as of an instant: counts of stays, taken from the conversations' timelines each time, so that no counter can go wrong.
 *
 *   waiting       stays that have begun and not ended
 *   interacting   legs of agents on behalf of the queue that are connected and not ended
 *   entered       stays that began in the interval [from, to)
 *   answered, abandoned, flowedOut, leftOtherwise   stays that ended in the interval, by outcome
 *   service level = answered within targetMs / (answered + abandoned - abandoned within shortAbandonMs); null where that is 0 / 0;
 *                   a queue may have another targetMs for each medium, and each stay is held to that of its own
 *   arrivals per hour = entered / length of the interval so far
 */
import type { Figures } from './conversation-state.ts'

/** When an answer is in time, and how soon giving up does not count. */
export type ServiceLevel = { readonly targetMs: number; readonly shortAbandonMs: number }

/** What a stay in a queue is held to. */
export type ServiceLevelOf = (queueId: string, mediaType: string | null) => ServiceLevel

/** From (included) to (not included), epoch ms. */
export type Interval = { readonly fromMs: number; readonly toMs: number }

export const DEFAULT_SERVICE_LEVEL: ServiceLevel = { targetMs: 20_000, shortAbandonMs: 0 }

export type QueueState = {
  readonly queueId: string
  readonly asOfMs: number
  readonly waiting: number
  /** Since when the one waits who waits longest. */
  readonly longestWaitSinceMs: number | null
  readonly longestWaitMs: number | null
  readonly interacting: number
  /** Agents active in the queue; of them, those whose routing status is not OFF_QUEUE. */
  readonly members: number
  readonly onQueue: number
  readonly interval: Interval & {
    readonly entered: number
    readonly answered: number
    readonly answeredInTime: number
    readonly abandoned: number
    readonly abandonedShort: number
    readonly flowedOut: number
    /** Ended without an outcome that we know, or with an unknown one. */
    readonly leftOtherwise: number
    readonly serviceLevel: number | null
    readonly averageAnswerMs: number | null
    readonly longestAnswerMs: number | null
    readonly arrivalsPerHour: number | null
  }
}

/** Adds up queues; feed it every conversation and every agent, then ask. */
export class QueueCount {
  readonly #asOfMs: number
  readonly #interval: Interval
  readonly #serviceLevel: ServiceLevelOf
  readonly #queues = new Map<string, Sums>()

  constructor(asOfMs: number, interval: Interval, serviceLevel: ServiceLevelOf) {
    this.#asOfMs = asOfMs
    this.#interval = { fromMs: interval.fromMs, toMs: Math.min(interval.toMs, asOfMs + 1) }
    this.#serviceLevel = serviceLevel
  }

  addConversation({ visits, legs }: Figures): void {
    const asOfMs = this.#asOfMs
    for (const visit of visits) {
      const { queueId, enteredAtMs, leftAtMs } = visit
      if (queueId === null || enteredAtMs > asOfMs) continue
      const sums = this.#of(queueId)
      if (this.#isIn(enteredAtMs)) sums.entered++
      if (leftAtMs === null || leftAtMs > asOfMs) {
        sums.waiting++
        sums.waitSinceMs = Math.min(sums.waitSinceMs, enteredAtMs)
      } else if (this.#isIn(leftAtMs)) count(sums, visit.outcome, leftAtMs - enteredAtMs, this.#serviceLevel(queueId, visit.mediaType))
    }
    for (const { queueId, connectedAtMs, endedAtMs } of legs) {
      if (queueId === null || connectedAtMs === null || connectedAtMs > asOfMs || (endedAtMs !== null && endedAtMs <= asOfMs)) continue
      this.#of(queueId).interacting++
    }
  }

  addAgent(queueIds: readonly string[], isOnQueue: boolean): void {
    for (const id of queueIds) {
      const sums = this.#of(id)
      sums.members++
      if (isOnQueue) sums.onQueue++
    }
  }

  /** The queues seen, by id. */
  states(): readonly QueueState[] {
    return [...this.#queues.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([id, sums]) => this.#state(id, sums))
  }

  /** One queue; all zero when nothing of it is known. */
  state(queueId: string): QueueState {
    return this.#state(queueId, this.#queues.get(queueId) ?? noSums())
  }

  #state(queueId: string, sums: Sums): QueueState {
    const { fromMs, toMs } = this.#interval
    const { waiting, waitSinceMs, interacting, members, onQueue, answerMs, longestAnswerMs, ...counts } = sums
    const due = counts.answered + counts.abandoned - counts.abandonedShort
    return {
      queueId,
      asOfMs: this.#asOfMs,
      waiting,
      longestWaitSinceMs: waiting === 0 ? null : waitSinceMs,
      longestWaitMs: waiting === 0 ? null : this.#asOfMs - waitSinceMs,
      interacting,
      members,
      onQueue,
      interval: {
        fromMs,
        toMs,
        ...counts,
        serviceLevel: due === 0 ? null : counts.answeredInTime / due,
        averageAnswerMs: counts.answered === 0 ? null : answerMs / counts.answered,
        longestAnswerMs: counts.answered === 0 ? null : longestAnswerMs,
        arrivalsPerHour: toMs > fromMs ? (counts.entered * HOUR_MS) / (toMs - fromMs) : null,
      },
    }
  }

  #isIn(atMs: number): boolean {
    return atMs >= this.#interval.fromMs && atMs < this.#interval.toMs
  }

  #of(queueId: string): Sums {
    let sums = this.#queues.get(queueId)
    if (sums === undefined) {
      sums = noSums()
      this.#queues.set(queueId, sums)
    }
    return sums
  }
}

type Sums = {
  waiting: number
  waitSinceMs: number
  interacting: number
  members: number
  onQueue: number
  entered: number
  answered: number
  answeredInTime: number
  abandoned: number
  abandonedShort: number
  flowedOut: number
  leftOtherwise: number
  answerMs: number
  longestAnswerMs: number
}

const HOUR_MS = 3_600_000

function noSums(): Sums {
  return {
    waiting: 0,
    waitSinceMs: Infinity,
    interacting: 0,
    members: 0,
    onQueue: 0,
    entered: 0,
    answered: 0,
    answeredInTime: 0,
    abandoned: 0,
    abandonedShort: 0,
    flowedOut: 0,
    leftOtherwise: 0,
    answerMs: 0,
    longestAnswerMs: 0,
  }
}

function count(sums: Sums, outcome: string | null, waitedMs: number, { targetMs, shortAbandonMs }: ServiceLevel): void {
  switch (outcome) {
    case 'ANSWERED':
      sums.answered++
      sums.answerMs += waitedMs
      sums.longestAnswerMs = Math.max(sums.longestAnswerMs, waitedMs)
      if (waitedMs <= targetMs) sums.answeredInTime++
      return
    case 'ABANDON':
      sums.abandoned++
      if (waitedMs < shortAbandonMs) sums.abandonedShort++
      return
    case 'FLOW_OUT':
      sums.flowedOut++
      return
    default:
      sums.leftOtherwise++
  }
}

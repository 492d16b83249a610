import type { Held } from './held.ts'
import type { Pending, RouteState } from './ledger.ts'
import type { Parked } from './parked.ts'
import { Progress } from './progress.ts'
import { type Range, rangesOf } from './seq-set.ts'
import type { Settlement } from './settlement.ts'

export type TakeUpRooms = {
  /** What the ledger knows of the route; null of a new one. */
  readonly state: RouteState | null
  /** Where it goes on. */
  readonly position: number
  readonly firstSeq: number
  readonly held: Held
  readonly parked: Parked
  readonly settlement: Settlement
}

/**
 * Takes up what a route had left waiting. What retention has taken meanwhile (the route was not configured) ends as dropped; answers
 * whether there was any.
 */
export function takeUp({ state, position, firstSeq, held, parked, settlement }: TakeUpRooms): boolean {
  const pending = state?.pending ?? []
  const isGone = (one: Pending): boolean => one.state !== 'redrive' && one.seq < firstSeq
  const left = held.before(firstSeq).map((row) => row.seq)
  const ranges: Range[] = state === null ? [] : rangesOf([...pending.filter(isGone).map(({ seq }) => seq), ...left])
  if (state !== null) ranges.push(...new Progress(state.position, state.above).unsettled(state.position, position - 1))
  settlement.expired(ranges, 'backlog.retention')
  for (const seq of left) held.remove(seq)
  for (const one of pending) {
    if (isGone(one)) settlement.unpark(one.seq)
    else parked.restore(one)
  }
  return ranges.length > 0
}

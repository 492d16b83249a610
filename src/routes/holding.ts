import { eventId } from '../log/event-id.ts'
import { type Outcome, drop } from '../pipeline/outcome.ts'
import type { Held, HeldRow } from './held.ts'
import type { Progress } from './progress.ts'
import type { Settlement } from './settlement.ts'
import type { Job } from './supply.ts'

/** Of the stages that hold only the limit knows slots. */
const SUPERSEDED = 'limit.superseded'

export type HoldingRooms = { readonly held: Held; readonly progress: Progress; readonly settlement: Settlement }

/**
 * A shaping stage holds an event: it gets a row, and no longer stands in the way of the watermark. Of those that want the same slot
 * the newest by business time has it, from the time on that was promised first; the other ends as superseded.
 */
export function hold(
  { held, progress, settlement }: HoldingRooms,
  job: Job,
  outcome: Outcome & { readonly type: 'hold' },
  stage: string,
  nowMs: number,
): void {
  const { seq, event } = job
  const { reason, untilMs, key = null, slot = null } = outcome
  const atMs = event.occurredAtMs ?? event.receivedAtMs
  const again = held.isTaken(seq)
  let dueAtMs = untilMs
  if (slot !== null) {
    const other = rival(held, slot, seq)
    if (other !== null && isOlder({ atMs, seq }, other)) {
      supersededBy(other, { held, progress, settlement }, job, key, stage, nowMs)
      return
    }
    if (other !== null) {
      dueAtMs = Math.min(dueAtMs, other.dueAtMs)
      settlement.superseded(other, SUPERSEDED, event.id, nowMs)
      held.remove(other.seq)
    }
  }
  // Told once: of one that is held again for the same the first time is on record.
  if (!again || held.get(seq)?.reason !== reason) settlement.heldBack(job, outcome, stage, nowMs)
  held.put({ seq, stage, reason, key, dueAtMs, atMs, tie: 0, slot, stored: false })
  progress.done(seq)
}

/**
 * An event may go on at once, and another of its slot waits: the newer of the two goes, the other ends as superseded. Answers whether
 * it is the one that goes.
 */
export function goInSlot(rooms: HoldingRooms, job: Job, slot: string, stage: string, nowMs: number): boolean {
  const { held, settlement } = rooms
  const other = held.size === 0 ? null : rival(held, slot, job.seq)
  if (other === null) return true
  const { event, seq } = job
  if (isOlder({ atMs: event.occurredAtMs ?? event.receivedAtMs, seq }, other)) {
    supersededBy(other, rooms, job, other.key, stage, nowMs)
    return false
  }
  settlement.superseded(other, SUPERSEDED, event.id, nowMs)
  held.remove(other.seq)
  return true
}

/** Another event that holds the slot, and is not on its way already. */
function rival(held: Held, slot: string, seq: number): HeldRow | null {
  const other = held.inSlot(slot)
  return other === null || other.seq === seq || held.isTaken(other.seq) ? null : other
}

function supersededBy(
  other: HeldRow,
  { held, progress, settlement }: HoldingRooms,
  job: Job,
  key: string | null,
  stage: string,
  nowMs: number,
): void {
  const { seq, event } = job
  settlement.dropped(job, drop(SUPERSEDED, key, eventId(logIdOf(event.id), other.seq)), stage, nowMs)
  if (held.isTaken(seq)) held.remove(seq)
  progress.done(seq)
}

const isOlder = (a: Pick<HeldRow, 'atMs' | 'seq'>, b: Pick<HeldRow, 'atMs' | 'seq'>): boolean =>
  a.atMs < b.atMs || (a.atMs === b.atMs && a.seq < b.seq)

const logIdOf = (id: string): string => id.slice(0, id.lastIndexOf('-'))

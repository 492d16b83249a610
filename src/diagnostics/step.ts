/**
 * Names of the moments at which a crash must lose nothing that was acknowledged. Published on a diagnostics channel
 * so that the crash suite can kill the process at each of them; without a subscriber a step costs one property read.
 */
import { channel } from 'node:diagnostics_channel'

export const DURABLE_STEPS = [
  'log.prepared',
  'log.written',
  'log.synced',
  'log.committed',
  'log.segment_created',
  'log.segment_sealed',
  'log.columns_written',
  'log.segment_unlinked',
  'keys.sealed',
  'keys.merged',
  'intake.before_answer',
  'sink.delivered',
  'route.before_commit',
  'route.committed',
  'file.written',
  'file.synced',
  'file.rotated',
  'http.answered',
  'dead.recorded',
  'redrive.recorded',
  'state.stored',
  'changes.appended',
  'changes.settled',
] as const

export type DurableStep = (typeof DURABLE_STEPS)[number]

const steps = channel('trunkline.step')

/** Says that `name` has been reached. */
export function step(name: DurableStep): void {
  if (steps.hasSubscribers) steps.publish(name)
}

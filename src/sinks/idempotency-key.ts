import type { Event } from '../event/event.ts'

/**
 * What a receiver can tell repetitions by: the event's own key (else its id), the same over attempts, restarts and homes.
 * Whoever honours it gets each event once.
 */
export function idempotencyKeyOf(event: Event): string {
  return event.keyKind !== 'none' && event.key !== null ? Buffer.from(event.key).toString('hex') : event.id
}

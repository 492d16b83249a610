import type { OrderBy } from '../config/config.ts'
import type { Event } from '../event/event.ts'

/** The entity whose events keep their order; null for an event that is in nobody's way. */
export function entityOf(event: Event, by: OrderBy): string | null {
  if (by === 'conversation') return event.conversationId
  if (by === 'user') return event.userId
  if (by === 'queue') return event.queueId
  return event.entity === null ? null : `${event.entity.kind}:${event.entity.id}`
}

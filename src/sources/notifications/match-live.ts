/**
 * Which reconstructed events were received live after all. Their bodies never agree, so they are matched by structure: kind,
 * participant, session, and the nearest time within a tolerance. Each live event stands for one reconstructed event at most.
 */
import type { ReconstructedEvent } from './reconstruct.ts'

/** A detail event that the log has, live or reconstructed before. */
export type LiveEvent = {
  /** What follows `v2.detail.events.conversation.{id}.` in its topic. */
  readonly kind: string
  readonly participantId: string | null
  readonly sessionId: string | null
  readonly occurredAtMs: number
}

/** The events of one conversation for which there is no live event. */
export function withoutLive(
  events: readonly ReconstructedEvent[],
  live: readonly LiveEvent[],
  toleranceMs: number,
): readonly ReconstructedEvent[] {
  const pairs: { readonly event: ReconstructedEvent; readonly other: LiveEvent; readonly apartMs: number }[] = []
  for (const event of events) {
    for (const other of live) {
      const apartMs = Math.abs(event.atMs - other.occurredAtMs)
      if (apartMs <= toleranceMs && isAlike(event, other)) pairs.push({ event, other, apartMs })
    }
  }
  const matched = new Set<ReconstructedEvent>()
  const taken = new Set<LiveEvent>()
  for (const { event, other } of pairs.sort((a, b) => a.apartMs - b.apartMs)) {
    if (matched.has(event) || taken.has(other)) continue
    matched.add(event)
    taken.add(other)
  }
  return events.filter((event) => !matched.has(event))
}

function isAlike(event: ReconstructedEvent, live: LiveEvent): boolean {
  return event.kind === live.kind && event.participantId === live.participantId && event.sessionId === live.sessionId
}

/** How a route stands, for people and metrics. */
export type RouteStatus = {
  readonly position: number
  readonly lag: number
  readonly inFlight: number
  readonly retrying: number
  readonly held: number
  readonly breaker: string
  readonly paused: boolean
  readonly counts: Readonly<Record<string, number>>
  readonly sinkError: string | null
  readonly latency: { events: number; p50Ms: number | null; p99Ms: number | null; maxMs: number }
}

/** How a route stands, for people and metrics. */
export type RouteStatus = {
  readonly position: number
  readonly lag: number
  readonly inFlight: number
  readonly retrying: number
  readonly held: number
  readonly breaker: string
  readonly paused: boolean
  /** Why it takes no event, a code and a sentence; null when it does. */
  readonly blocked: { readonly code: string; readonly message: string } | null
  readonly counts: Readonly<Record<string, number>>
  readonly sinkError: string | null
  readonly latency: { events: number; p50Ms: number | null; p99Ms: number | null; maxMs: number }
}

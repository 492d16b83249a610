/** The knobs of the model. What is left out is a middling centre of fifty people on a Monday morning. */
export type SimulationOptions = {
  /** The same seed and options give the same events, byte for byte. */
  readonly seed: string
  readonly startAtMs: number
  /** The centre stands still after this long, with what is open left open; null plays without end. */
  readonly durationMs: number | null
  readonly agents: number
  readonly queues: number
  /** New conversations in an hour, the mean over a day. */
  readonly conversationsPerHour: number
  /** The same load at every hour and everybody at work, rather than a day with two humps and shifts. */
  readonly flat: boolean
  /** The same share of conversations and people for every queue, rather than the first ones busier. */
  readonly evenQueues: boolean
  /** How many times as fast as usual people talk and work: more happens with the same staff. */
  readonly brisk: number
  /** One more queue that gets so many events a second: calls that bounce between a flow and the queue. */
  readonly noisyQueuePerSecond: number
  /** Share of voice conversations with transcription, 0..1. */
  readonly transcribedShare: number
  /** The large snapshots: `v2.users.{id}.conversations` and `v2.routing.queues.{id}.conversations`. */
  readonly snapshots: boolean
  /** Topic templates that are published at all; everything without it. */
  readonly wants: ((topic: string) => boolean) | null
  /** How long ended conversations stay known, and how many of them at most. */
  readonly keepEndedMs: number
  readonly keepEndedMax: number
}

/** Monday, 2 March 2026, 09:00 UTC. */
export const DEFAULT_START_MS: number = Date.UTC(2026, 2, 2, 9)

/** Conversations an hour that so many agents manage, with busy hours in which callers wait. */
export function usualRate(agents: number, flat: boolean): number {
  return Math.ceil(agents * (flat ? 8 : 4.5))
}

const DEFAULTS: SimulationOptions = {
  seed: '1',
  startAtMs: DEFAULT_START_MS,
  durationMs: null,
  agents: 50,
  queues: 6,
  conversationsPerHour: usualRate(50, false),
  flat: false,
  evenQueues: false,
  brisk: 1,
  noisyQueuePerSecond: 0,
  transcribedShare: 0.02,
  snapshots: false,
  wants: null,
  keepEndedMs: 3_600_000,
  keepEndedMax: 20_000,
}

/** All options, from those that are given. */
export function withDefaults(given: Partial<SimulationOptions>): SimulationOptions {
  const { agents = DEFAULTS.agents, flat = DEFAULTS.flat } = given
  return { ...DEFAULTS, conversationsPerHour: usualRate(agents, flat), ...given }
}

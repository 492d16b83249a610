/** What the processes of the test have in common: the limit, the traffic, what one is told to do and what it tells at the end. */
import type { LimitConfig } from '../../src/config/config.ts'
import { simulation } from '../../src/simulator/model/simulation.ts'
import type { Emission, Simulation } from '../../src/simulator/simulation.ts'

export type Policy = LimitConfig['overflow']
export const POLICIES: readonly Policy[] = ['delay', 'drop', 'sample', 'latest']
export const RATE = { perSecond: 5, burst: 20 }
export const SAMPLE_ONE_IN = 10
export const TICK_MS = 50

/** What a process is to do. */
export type Task = {
  readonly dir: string
  readonly process: number
  readonly processes: number
  readonly seconds: number
  /** How far its clock is ahead of that of the machine. */
  readonly aheadMs: number
}

export type Admission = { readonly atMs: number; readonly queueId: string; readonly sampled: boolean }

export type Told = {
  readonly accepted: number
  readonly acceptedByQueue: Readonly<Record<string, number>>
  readonly tookMs: number
  readonly policies: Readonly<Record<Policy, ToldOfPolicy>>
}
export type ToldOfPolicy = {
  readonly admitted: readonly Admission[]
  readonly counts: Readonly<Record<string, number>>
  readonly held: number
  readonly storeCalls: number
}

const PLAYED_BEFORE_MS = 25_000

/** One queue with 200 events a second, nine with about two. */
export function centre(seconds: number): Simulation {
  return simulation({
    seed: '1',
    durationMs: PLAYED_BEFORE_MS + seconds * 1_000,
    agents: 300,
    queues: 9,
    evenQueues: true,
    flat: true,
    brisk: 10,
    conversationsPerHour: 36_000,
    noisyQueuePerSecond: 200,
    wants: (topic) => topic.endsWith('.acd.start') || topic.endsWith('.acd.end'),
  })
}

/** Its emissions of so many seconds, when it has come to its rate, tick by tick. */
export function ticksOf(played: Simulation, seconds: number): readonly (readonly Emission[])[] {
  const fromMs = played.nowMs + PLAYED_BEFORE_MS
  const ticks = Array.from({ length: Math.ceil((seconds * 1_000) / TICK_MS) }, (): Emission[] => [])
  for (let emission = played.next(); emission !== null; emission = played.next()) {
    const tick = ticks[Math.floor((emission.publishedAtMs - fromMs) / TICK_MS)]
    if (emission.publishedAtMs >= fromMs) tick?.push(emission)
  }
  return ticks
}

/** Whose event it is, of so many processes. */
export const shareOf = ({ number }: Emission, processes: number): number => number % processes

/**
 * What the log says of a source that is not connected: why, as soon as it is known, again every five minutes while it lasts, and
 * one line when it is over. Told once only, an outage of hours would look like quiet.
 */
import type { Clock } from '../../pipeline/clock.ts'
import type { SourceOutput } from '../source.ts'

export type OutageOptions = {
  readonly source: string
  readonly clock: Clock
  readonly output: Pick<SourceOutput, 'warn' | 'info'>
  readonly connected: () => boolean
}

type Problem = { readonly code: string; readonly message: string; readonly atMs: number }

export class Outage {
  readonly #o: OutageOptions
  #sinceMs: number | null = null
  #problem: Problem | null = null
  /** When each code was told last: a few codes, all from this source. */
  readonly #toldAtMs = new Map<string, number>()

  constructor(o: OutageOptions) {
    this.#o = o
  }

  /** Says why something does not work just now, unless it was said lately. */
  problem(code: string, message: string): void {
    this.check()
    const nowMs = this.#o.clock.nowMs()
    this.#problem = { code, message, atMs: nowMs }
    if (nowMs - (this.#toldAtMs.get(code) ?? -Infinity) >= AGAIN_MS) this.#tell(this.#problem, nowMs)
  }

  /** Says what there is to say by now; to be called every few seconds. */
  check(): void {
    const nowMs = this.#o.clock.nowMs()
    if (this.#o.connected()) return this.#end(nowMs)
    this.#sinceMs ??= nowMs
    const isDue = this.#toldAtMs.size === 0 ? nowMs - this.#sinceMs >= FIRST_MS : nowMs - Math.max(...this.#toldAtMs.values()) >= AGAIN_MS
    if (isDue) this.#tell(this.#problem ?? NO_CHANNEL, nowMs)
  }

  status(): { readonly notConnectedSinceMs: number | null; readonly lastProblem: Problem | null } {
    return { notConnectedSinceMs: this.#sinceMs, lastProblem: this.#problem }
  }

  #tell({ code, message }: { readonly code: string; readonly message: string }, nowMs: number): void {
    this.#toldAtMs.set(code, nowMs)
    const lastsMs = this.#sinceMs === null ? 0 : nowMs - this.#sinceMs
    const since = lastsMs < MINUTE_MS ? '' : ` ${this.#o.source} has not been wholly connected for ${lasting(lastsMs)}.`
    this.#o.output.warn(code, `${message}${since}`)
  }

  #end(nowMs: number): void {
    if (this.#sinceMs === null) return
    if (this.#toldAtMs.size > 0) this.#o.output.info(`${this.#o.source} is connected again, after ${lasting(nowMs - this.#sinceMs)}.`)
    this.#sinceMs = this.#problem = null
    this.#toldAtMs.clear()
  }
}

const NO_CHANNEL = { code: 'notifications.connect_failed', message: 'There is no channel yet.' }
const MINUTE_MS = 60_000
/** Where nothing says why it takes so long. */
const FIRST_MS = 30_000
const AGAIN_MS = 5 * MINUTE_MS

function lasting(ms: number): string {
  if (ms < MINUTE_MS) return `${Math.ceil(ms / 1_000)} s`
  const minutes = Math.round(ms / MINUTE_MS)
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

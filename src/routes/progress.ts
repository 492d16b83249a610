/**
 * How far a route is: a low watermark below which every record is settled or parked, and what lies above it. One
 * event in backoff is parked (it has a row of its own) and holds neither the watermark nor its neighbours.
 */
export type Range = readonly [from: number, to: number]

export class Progress {
  /** Taken and neither settled nor parked, in the order taken. */
  readonly #inFlight = new Set<number>()
  #frontier: number
  /** Settled before the last stop, above the watermark of that time. */
  #settledAbove: Range[]

  constructor(position: number, settledAbove: readonly Range[] = []) {
    this.#frontier = position
    this.#settledAbove = settledAbove.filter(([, to]) => to >= position)
  }

  /** Everything below is settled or parked. */
  get position(): number {
    for (const seq of this.#inFlight) return seq
    return this.#frontier
  }

  /** The next record to take. */
  get frontier(): number {
    return this.#frontier
  }

  get inFlight(): number {
    return this.#inFlight.size
  }

  /** True when a record the frontier reaches was settled before a restart. */
  isSettled(seq: number): boolean {
    return this.#settledAbove.some(([from, to]) => seq >= from && seq <= to)
  }

  /** What of `from..to` was not settled before a restart, as ranges. */
  unsettled(from: number, to: number): Range[] {
    const ranges: Range[] = []
    let next = from
    for (const [a, b] of this.#settledAbove) {
      if (a > to) break
      if (a > next) ranges.push([next, a - 1])
      next = Math.max(next, b + 1)
    }
    if (next <= to) ranges.push([next, to])
    return ranges
  }

  isTaken(seq: number): boolean {
    return this.#inFlight.has(seq)
  }

  /** Moves the frontier past `seq` and takes it. */
  take(seq: number): void {
    this.#inFlight.add(seq)
    this.skipTo(seq + 1)
  }

  /** Moves the frontier over records that need nothing. */
  skipTo(frontier: number): void {
    if (frontier > this.#frontier) this.#frontier = frontier
    const first = this.#settledAbove[0]
    if (first !== undefined && first[1] < this.position) this.#settledAbove = this.#settledAbove.filter(([, to]) => to >= this.position)
  }

  /** The record is settled, or parked with a row of its own. */
  done(seq: number): void {
    this.#inFlight.delete(seq)
  }

  /** Settled or parked stretches above the watermark: what a restart must not take again. */
  above(): Range[] {
    const ranges: Range[] = []
    let from = this.position
    for (const seq of this.#inFlight) {
      if (seq > from) ranges.push([from, seq - 1])
      from = seq + 1
    }
    if (this.#inFlight.size > 0 && this.#frontier > from) ranges.push([from, this.#frontier - 1])
    // Ranges of before the restart that the frontier has not reached yet.
    for (const [a, b] of this.#settledAbove) if (b >= this.#frontier) ranges.push([Math.max(a, this.#frontier), b])
    return ranges
  }
}

/** Numbers as ranges without gaps. */
export function rangesOf(seqs: readonly number[]): Range[] {
  const ranges: [number, number][] = []
  for (const seq of seqs.toSorted((a, b) => a - b)) {
    const last = ranges.at(-1)
    if (last !== undefined && last[1] === seq - 1) last[1] = seq
    else ranges.push([seq, seq])
  }
  return ranges
}

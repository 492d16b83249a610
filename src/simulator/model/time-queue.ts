/** Things that wait for their instant: the earliest comes out first, and of the same instant the one that was put in first. */
export class TimeQueue<T> {
  readonly #atMs: number[] = []
  readonly #order: number[] = []
  readonly #items: T[] = []
  #added = 0

  get size(): number {
    return this.#items.length
  }

  /** Instant of the next one; Infinity when nothing waits. */
  get nextAtMs(): number {
    return this.#atMs[0] ?? Infinity
  }

  add(atMs: number, item: T): void {
    let at = this.#items.length
    const order = this.#added++
    this.#atMs.push(atMs)
    this.#order.push(order)
    this.#items.push(item)
    while (at > 0) {
      const parent = (at - 1) >> 1
      // A newcomer never goes before its equal.
      if (this.#atMs[parent]! <= atMs) break
      this.#move(parent, at)
      at = parent
    }
    this.#put(at, atMs, order, item)
  }

  /** The earliest, or undefined. */
  take(): T | undefined {
    const first = this.#items[0]
    const item = this.#items.pop()
    const atMs = this.#atMs.pop()
    const order = this.#order.pop()
    if (item === undefined || atMs === undefined || order === undefined || this.#items.length === 0) return first
    const count = this.#items.length
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= count) break
      if (child + 1 < count && this.#isBefore(child + 1, this.#atMs[child]!, this.#order[child]!)) child++
      if (!this.#isBefore(child, atMs, order)) break
      this.#move(child, at)
      at = child
    }
    this.#put(at, atMs, order, item)
    return first
  }

  #isBefore(at: number, atMs: number, order: number): boolean {
    const own = this.#atMs[at]!
    return own < atMs || (own === atMs && this.#order[at]! < order)
  }

  #move(from: number, to: number): void {
    this.#put(to, this.#atMs[from]!, this.#order[from]!, this.#items[from]!)
  }

  #put(at: number, atMs: number, order: number, item: T): void {
    this.#atMs[at] = atMs
    this.#order[at] = order
    this.#items[at] = item
  }
}

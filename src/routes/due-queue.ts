/** Sequence numbers by the time they are due: a binary heap. An entry that was replaced or removed is skipped when it comes up. */
export class DueQueue {
  readonly #heap: { seq: number; dueAtMs: number }[] = []
  readonly #due = new Map<number, number>()

  get size(): number {
    return this.#due.size
  }

  has(seq: number): boolean {
    return this.#due.has(seq)
  }

  set(seq: number, dueAtMs: number): void {
    this.#due.set(seq, dueAtMs)
    const heap = this.#heap
    heap.push({ seq, dueAtMs })
    for (let i = heap.length - 1; i > 0;) {
      const parent = (i - 1) >> 1
      if (before(heap[parent]!, heap[i]!)) break
      swap(heap, i, parent)
      i = parent
    }
  }

  delete(seq: number): void {
    this.#due.delete(seq)
  }

  /** Time of the earliest entry, or Infinity. */
  nextAtMs(): number {
    this.#skipStale()
    return this.#heap[0]?.dueAtMs ?? Infinity
  }

  /** Takes the earliest entry that is due, or null. */
  take(nowMs: number): number | null {
    this.#skipStale()
    const head = this.#heap[0]
    if (head === undefined || head.dueAtMs > nowMs) return null
    this.#pop()
    this.#due.delete(head.seq)
    return head.seq
  }

  #skipStale(): void {
    for (let head = this.#heap[0]; head !== undefined; head = this.#heap[0]) {
      if (this.#due.get(head.seq) === head.dueAtMs) return
      this.#pop()
    }
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()!
    if (heap.length === 0) return
    heap[0] = last
    for (let i = 0; ;) {
      const left = 2 * i + 1
      if (left >= heap.length) return
      const right = left + 1
      const child = right < heap.length && before(heap[right]!, heap[left]!) ? right : left
      if (before(heap[i]!, heap[child]!)) return
      swap(heap, i, child)
      i = child
    }
  }
}

type Entry = { seq: number; dueAtMs: number }

const before = (a: Entry, b: Entry): boolean => a.dueAtMs < b.dueAtMs || (a.dueAtMs === b.dueAtMs && a.seq <= b.seq)

function swap(heap: Entry[], i: number, j: number): void {
  const entry = heap[i]!
  heap[i] = heap[j]!
  heap[j] = entry
}

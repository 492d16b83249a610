/**
 * The newest keys: a hash table on typed arrays, exact (whole 16-byte keys), newest sequence wins.
 *
 * Entries are dense, in order of arrival; a slot holds the entry's index + 1 (21 bits) and a tag of the hash
 * (11 bits), so that asking for an unknown key nearly always reads the slot array alone. It never grows: the owner
 * empties it when `count` says so, and may fill it to `maxEntries` at most. Key words are signed: as small integers
 * they cross function borders without an allocation.
 */
const ENTRY_WORDS = 6
const INDEX_BITS = 21
const INDEX_MASK = 2 ** INDEX_BITS - 1
const TAG_MASK = 0x7ff
const TWO_32 = 2 ** 32
/** Groups up to this size are put in order by insertion; longer ones (never seen with hashed keys) by a comparator. */
const SMALL_GROUP = 16

/** The largest table: an index must fit its bits with half as much again to spare. */
export const MAX_MEMORY_KEYS: number = 2 ** 20

export class MemoryTable {
  readonly maxEntries: number
  readonly #slots: Uint32Array
  readonly #entries: Int32Array
  readonly #shift: number
  /** Room for sorting, kept: throwing it away at every seal would leave garbage that the collector is slow to see. */
  readonly #scratch: Uint32Array
  readonly #sortedOut: Uint32Array
  #count = 0

  constructor(keys: number) {
    const slotBits = Math.max(4, Math.ceil(Math.log2(keys * 2)))
    this.maxEntries = keys + Math.ceil(keys / 2)
    this.#slots = new Uint32Array(2 ** slotBits)
    this.#entries = new Int32Array(this.maxEntries * ENTRY_WORDS)
    this.#scratch = new Uint32Array(this.maxEntries * 4)
    this.#sortedOut = new Uint32Array(this.maxEntries * 4)
    this.#shift = 32 - slotBits
  }

  get count(): number {
    return this.#count
  }

  get bytes(): number {
    return this.#slots.byteLength + this.#entries.byteLength + this.#scratch.byteLength + this.#sortedOut.byteLength
  }

  /** Sequence number of the key given as four words, or -1. */
  find(k0: number, k1: number, k2: number, k3: number): number {
    const entry = this.#locate(k0, k1, k2, k3, hash(k0, k1, k2, k3))
    return entry < 0 ? -1 : this.#seqAt(entry)
  }

  /** Adds or renews a key. The caller sees to it that `count` stays below `maxEntries`. */
  put(k0: number, k1: number, k2: number, k3: number, seq: number): void {
    const h = hash(k0, k1, k2, k3)
    const entries = this.#entries
    let entry = this.#locate(k0, k1, k2, k3, h)
    if (entry < 0) {
      entry = this.#count++
      const slots = this.#slots
      const mask = slots.length - 1
      let at = h >>> this.#shift
      while (slots[at] !== 0) at = (at + 1) & mask
      slots[at] = ((h & TAG_MASK) << INDEX_BITS) | (entry + 1)
      const base = entry * ENTRY_WORDS
      entries[base] = k0
      entries[base + 1] = k1
      entries[base + 2] = k2
      entries[base + 3] = k3
    }
    const base = entry * ENTRY_WORDS
    entries[base + 4] = seq
    entries[base + 5] = seq / TWO_32
  }

  clear(): void {
    this.#slots.fill(0)
    this.#count = 0
  }

  /**
   * All entries as a run has them (prefix and sequence, four words each): by prefix ascending, newest first where
   * prefixes are equal. Good until the next call.
   */
  sortedEntries(): Uint32Array {
    const entries = this.#entries
    const order = this.#sorted()
    const out = this.#sortedOut.subarray(0, order.length * 4)
    for (let i = 0; i < order.length; i++) {
      const base = (order[i] as number) * ENTRY_WORDS
      const at = i * 4
      out[at] = entries[base] as number
      out[at + 1] = entries[base + 1] as number
      out[at + 2] = entries[base + 4] as number
      out[at + 3] = entries[base + 5] as number
    }
    return out
  }

  #seqAt(entry: number): number {
    const base = entry * ENTRY_WORDS
    return (this.#entries[base + 5] as number) * TWO_32 + ((this.#entries[base + 4] as number) >>> 0)
  }

  #locate(k0: number, k1: number, k2: number, k3: number, h: number): number {
    const slots = this.#slots
    const entries = this.#entries
    const mask = slots.length - 1
    const tag = h & TAG_MASK
    let at = h >>> this.#shift
    for (;;) {
      const slot = slots[at] as number
      if (slot === 0) return -1
      if (slot >>> INDEX_BITS === tag) {
        const entry = (slot & INDEX_MASK) - 1
        const base = entry * ENTRY_WORDS
        if (entries[base] === k0 && entries[base + 1] === k1 && entries[base + 2] === k2 && entries[base + 3] === k3) {
          return entry
        }
      }
      at = (at + 1) & mask
    }
  }

  /** Entry indexes in run order: a radix sort by the first word (three passes), then the rare equal first words by hand. */
  #sorted(): Uint32Array {
    const n = this.#count
    const entries = this.#entries
    let keys = this.#scratch.subarray(0, n)
    let order = this.#scratch.subarray(n, 2 * n)
    for (let i = 0; i < n; i++) {
      keys[i] = entries[i * ENTRY_WORDS] as number
      order[i] = i
    }
    let otherKeys = this.#scratch.subarray(2 * n, 3 * n)
    let otherOrder = this.#scratch.subarray(3 * n, 4 * n)
    for (let shift = 0; shift < 32; shift += 11) {
      radixPass(keys, order, otherKeys, otherOrder, shift)
      ;[keys, otherKeys] = [otherKeys, keys]
      ;[order, otherOrder] = [otherOrder, order]
    }
    let from = 0
    while (from < n) {
      const key = keys[from] as number
      let to = from + 1
      while (to < n && keys[to] === key) to++
      if (to - from > 1) this.#sortGroup(order, from, to)
      from = to
    }
    return order
  }

  #sortGroup(order: Uint32Array, from: number, to: number): void {
    const compare = (a: number, b: number): number => {
      const byPrefix = ((this.#entries[a * ENTRY_WORDS + 1] as number) >>> 0) - ((this.#entries[b * ENTRY_WORDS + 1] as number) >>> 0)
      return byPrefix !== 0 ? byPrefix : this.#seqAt(b) - this.#seqAt(a)
    }
    if (to - from > SMALL_GROUP) {
      order.subarray(from, to).sort(compare)
      return
    }
    for (let i = from + 1; i < to; i++) {
      const moved = order[i] as number
      let at = i
      while (at > from && compare(order[at - 1] as number, moved) > 0) {
        order[at] = order[at - 1] as number
        at--
      }
      order[at] = moved
    }
  }
}

function radixPass(keys: Uint32Array, order: Uint32Array, toKeys: Uint32Array, toOrder: Uint32Array, shift: number): void {
  const starts = new Uint32Array(2049)
  const n = keys.length
  for (let i = 0; i < n; i++) {
    const bucket = (((keys[i] as number) >>> shift) & 0x7ff) + 1
    starts[bucket] = (starts[bucket] as number) + 1
  }
  for (let b = 1; b < 2048; b++) starts[b] = (starts[b] as number) + (starts[b - 1] as number)
  for (let i = 0; i < n; i++) {
    const key = keys[i] as number
    const bucket = (key >>> shift) & 0x7ff
    const at = starts[bucket] as number
    starts[bucket] = at + 1
    toKeys[at] = key
    toOrder[at] = order[i] as number
  }
}

/** Mixes all four words, so that keys sharing a prefix do not share slots. */
function hash(k0: number, k1: number, k2: number, k3: number): number {
  let h = k0 ^ Math.imul(k1, 0x9e3779b1) ^ Math.imul(k2, 0x85ebca6b) ^ Math.imul(k3, 0xc2b2ae35)
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d)
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39)
  return (h ^ (h >>> 15)) >>> 0
}

/**
 * A set of record numbers that come dense and go dense, as bits: a chunk of a thousand costs 128 bytes, a full one nothing, and nothing
 * is allocated while members come and go. As text it is ranges where there are few, and bits where members and gaps mix.
 */
export type Range = readonly [from: number, to: number]

/** Members from `from` to `to`, or, with a text, those whose bits are set in it, counted from `from`. */
export type Stretch = Range | readonly [from: number, bits: string]

const SIZE = 1_024
const WORDS = SIZE / 32
/** Above so many ranges within a chunk its bits are shorter. */
const MAX_RANGES = 8

type Chunk = {
  readonly first: number
  /** Null when all are members. */
  bits: Uint32Array<ArrayBuffer> | null
  count: number
}

export class SeqSet {
  readonly #chunks = new Map<number, Chunk>()
  /** The one used last. */
  #near: Chunk | null = null
  #size = 0

  constructor(stretches: readonly Stretch[] = []) {
    for (const [from, to] of stretches) {
      if (typeof to === 'number') this.addRange(from, to)
      else
        for (const [i, byte] of Buffer.from(to, 'base64').entries())
          for (let bit = 0; bit < 8; bit++) if ((byte & (1 << bit)) !== 0) this.add(from + i * 8 + bit)
    }
  }

  get size(): number {
    return this.#size
  }

  has(seq: number): boolean {
    const chunk = this.#chunkOf(seq)
    return chunk !== null && (chunk.bits === null || (chunk.bits[(seq - chunk.first) >>> 5]! & (1 << (seq & 31))) !== 0)
  }

  /** Answers whether it was none. */
  add(seq: number): boolean {
    const chunk = this.#chunkOf(seq) ?? this.#made(seq)
    if (chunk.bits === null) return false
    const word = (seq - chunk.first) >>> 5
    const bit = 1 << (seq & 31)
    if ((chunk.bits[word]! & bit) !== 0) return false
    chunk.bits[word]! |= bit
    this.#size++
    if (++chunk.count === SIZE) chunk.bits = null
    return true
  }

  addRange(from: number, to: number): void {
    for (let seq = from; seq <= to; seq++) {
      const whole = seq % SIZE === 0 && seq + SIZE - 1 <= to
      if (!whole) {
        this.add(seq)
        continue
      }
      const chunk = this.#chunkOf(seq) ?? this.#made(seq)
      this.#size += SIZE - chunk.count
      chunk.count = SIZE
      chunk.bits = null
      seq += SIZE - 1
    }
  }

  /** Answers whether it was one. */
  delete(seq: number): boolean {
    const chunk = this.#chunkOf(seq)
    if (chunk === null || !this.has(seq)) return false
    chunk.bits ??= new Uint32Array(WORDS).fill(0xffff_ffff)
    chunk.bits[(seq - chunk.first) >>> 5]! &= ~(1 << (seq & 31))
    chunk.count--
    this.#size--
    if (chunk.count === 0) this.#drop(chunk)
    return true
  }

  /** Whole chunks before `seq` are forgotten: nobody asks for them any more. */
  forgetBefore(seq: number): void {
    for (const chunk of this.#chunks.values()) {
      if (chunk.first + SIZE > seq) break
      this.#size -= chunk.count
      this.#drop(chunk)
    }
  }

  /** The first number from `from` on that is no member, at most `limit`. */
  firstMissing(from: number, limit: number): number {
    let seq = from
    while (seq < limit) {
      const chunk = this.#chunkOf(seq)
      if (chunk === null) return seq
      if (chunk.bits === null) seq = chunk.first + SIZE
      else {
        const missing = ~chunk.bits[(seq - chunk.first) >>> 5]! & (-1 << (seq & 31))
        const base = seq - (seq & 31)
        if (missing !== 0) return Math.min(limit, base + (31 - Math.clz32(missing & -missing)))
        seq = base + 32
      }
    }
    return limit
  }

  /** What of `from..to` are members, as ranges. */
  ranges(from: number, to: number): Range[] {
    const ranges: [number, number][] = []
    for (const { first, bits } of this.#sorted()) {
      if (first + SIZE <= from) continue
      if (first > to) break
      const last = Math.min(to, first + SIZE - 1)
      if (bits === null) join(ranges, Math.max(from, first), last)
      else for (let seq = Math.max(from, first); seq <= last; seq++) if (this.has(seq)) join(ranges, seq, seq)
    }
    return ranges
  }

  /** What of `from..to` are no members, as ranges. */
  gaps(from: number, to: number): Range[] {
    const gaps: Range[] = []
    let next = from
    for (const [a, b] of this.ranges(from, to)) {
      if (a > next) gaps.push([next, a - 1])
      next = b + 1
    }
    if (next <= to) gaps.push([next, to])
    return gaps
  }

  /** The members from `from` on, to be written down. */
  stretches(from: number): Stretch[] {
    const stretches: Stretch[] = []
    let ranges: [number, number][] = []
    for (const chunk of this.#sorted()) {
      const { first, bits } = chunk
      if (first + SIZE <= from) continue
      if (bits === null) join(ranges, Math.max(from, first), first + SIZE - 1)
      else if (runsIn(bits) <= MAX_RANGES) for (const [a, b] of this.ranges(Math.max(from, first), first + SIZE - 1)) join(ranges, a, b)
      else {
        stretches.push(...ranges, [first, textOf(bits, from - first)])
        ranges = []
      }
    }
    return [...stretches, ...ranges]
  }

  /** Chunks come in order but for what a crash left above. */
  #sorted(): Chunk[] {
    return [...this.#chunks.values()].sort((a, b) => a.first - b.first)
  }

  #chunkOf(seq: number): Chunk | null {
    const near = this.#near
    if (near !== null && seq >= near.first && seq < near.first + SIZE) return near
    const chunk = this.#chunks.get(Math.floor(seq / SIZE))
    if (chunk === undefined) return null
    this.#near = chunk
    return chunk
  }

  #made(seq: number): Chunk {
    const number = Math.floor(seq / SIZE)
    const chunk: Chunk = { first: number * SIZE, bits: new Uint32Array(WORDS), count: 0 }
    this.#chunks.set(number, chunk)
    this.#near = chunk
    return chunk
  }

  #drop(chunk: Chunk): void {
    this.#chunks.delete(chunk.first / SIZE)
    if (this.#near === chunk) this.#near = null
  }
}

/** Whether `seq` is a member of what was written down. */
export function isWithin(stretches: readonly Stretch[], seq: number): boolean {
  return stretches.some(([from, to]) => {
    if (seq < from) return false
    if (typeof to === 'number') return seq <= to
    return ((Buffer.from(to, 'base64')[(seq - from) >>> 3] ?? 0) & (1 << ((seq - from) & 7))) !== 0
  })
}

/** Numbers as ranges without gaps. */
export function rangesOf(seqs: readonly number[]): Range[] {
  const ranges: [number, number][] = []
  for (const seq of seqs.toSorted((a, b) => a - b)) join(ranges, seq, seq)
  return ranges
}

function join(ranges: [number, number][], from: number, to: number): void {
  const last = ranges.at(-1)
  if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to)
  else ranges.push([from, to])
}

/** How many ranges the bits are. */
function runsIn(bits: Uint32Array): number {
  let runs = 0
  let carry = 0
  for (const word of bits) {
    for (let begins = word & ~((word << 1) | carry); begins !== 0; begins &= begins - 1) runs++
    carry = word >>> 31
  }
  return runs
}

/** The bits from the one numbered `from` on; little-endian, as every machine that Node.js runs on. */
function textOf(bits: Uint32Array<ArrayBuffer>, from: number): string {
  if (from <= 0) return Buffer.from(bits.buffer).toString('base64')
  const rest = bits.slice()
  for (let i = 0; i < from; i++) rest[i >>> 5]! &= ~(1 << (i & 31))
  return Buffer.from(rest.buffer).toString('base64')
}

/**
 * Split-block Bloom filter over 8-byte key prefixes: one 32-byte block per key, one bit in each of its eight words.
 * Guarantees no false "no"; about 0.6 % false "maybe" at 12 bits a key.
 *
 * The block is chosen by the prefix's FIRST word scaled to the block count, so a run written in key order fills its
 * filter front to back (merges stay in cache). The test of a block is branch-free, and the bits of a key are computed
 * once for all runs: the processor then overlaps the cache misses of the filters (one predictable branch per run).
 * The eight multipliers are those of the Parquet format's filter.
 */
export const FILTER_BLOCK_WORDS = 8
const BITS_PER_KEY = 12
const BLOCK_BITS = 256

/** A filter as the probe needs it: `scale` is its block count / 2^32. */
export type Filter = { readonly filter: Uint32Array; readonly scale: number }

/** How many blocks a filter for that many keys has (never none). */
export function filterBlocks(keys: number): number {
  return Math.max(1, Math.ceil((keys * BITS_PER_KEY) / BLOCK_BITS))
}

/** An empty filter of so many blocks, or one over words read from a file. */
export function filterOf(blocks: number, words: Uint32Array = new Uint32Array(blocks * FILTER_BLOCK_WORDS)): Filter {
  return { filter: words, scale: blocks / 2 ** 32 }
}

/** Adds the prefix. Words may be signed here and below: small integers cross function borders without an allocation. */
export function filterAdd(filter: Uint32Array, scale: number, hi: number, lo: number): void {
  const at = (((hi >>> 0) * scale) | 0) * FILTER_BLOCK_WORDS
  filter[at] = (filter[at] as number) | (1 << (Math.imul(lo, 0x47b6137b) >>> 27))
  filter[at + 1] = (filter[at + 1] as number) | (1 << (Math.imul(lo, 0x44974d91) >>> 27))
  filter[at + 2] = (filter[at + 2] as number) | (1 << (Math.imul(lo, 0x8824ad5b) >>> 27))
  filter[at + 3] = (filter[at + 3] as number) | (1 << (Math.imul(lo, 0xa2b7289d) >>> 27))
  filter[at + 4] = (filter[at + 4] as number) | (1 << (Math.imul(lo, 0x705495c7) >>> 27))
  filter[at + 5] = (filter[at + 5] as number) | (1 << (Math.imul(lo, 0x2df1424b) >>> 27))
  filter[at + 6] = (filter[at + 6] as number) | (1 << (Math.imul(lo, 0x9efc4947) >>> 27))
  filter[at + 7] = (filter[at + 7] as number) | (1 << (Math.imul(lo, 0x5c6bfb31) >>> 27))
}

/** Walks `filters` from index `from` down to 0; answers the first index that may hold the prefix, or -1. */
export function lastMaybe(filters: readonly Filter[], from: number, hi: number, lo: number): number {
  const first = hi >>> 0
  const s0 = Math.imul(lo, 0x47b6137b) >>> 27
  const s1 = Math.imul(lo, 0x44974d91) >>> 27
  const s2 = Math.imul(lo, 0x8824ad5b) >>> 27
  const s3 = Math.imul(lo, 0xa2b7289d) >>> 27
  const s4 = Math.imul(lo, 0x705495c7) >>> 27
  const s5 = Math.imul(lo, 0x2df1424b) >>> 27
  const s6 = Math.imul(lo, 0x9efc4947) >>> 27
  const s7 = Math.imul(lo, 0x5c6bfb31) >>> 27
  for (let i = from; i >= 0; i--) {
    const entry = filters[i] as Filter
    const words = entry.filter
    const at = ((first * entry.scale) | 0) * FILTER_BLOCK_WORDS
    const all =
      ((words[at] as number) >>> s0) &
      ((words[at + 1] as number) >>> s1) &
      ((words[at + 2] as number) >>> s2) &
      ((words[at + 3] as number) >>> s3) &
      ((words[at + 4] as number) >>> s4) &
      ((words[at + 5] as number) >>> s5) &
      ((words[at + 6] as number) >>> s6) &
      ((words[at + 7] as number) >>> s7)
    if ((all & 1) !== 0) return i
  }
  return -1
}

/**
 * Chance that repeats: the same seed gives the same numbers on every machine. Only integer steps and the four exact
 * operations of IEEE arithmetic are used (`Math.log` and friends may differ in their last bits from engine to engine).
 * Every concern and every conversation draws from a stream of its own, so one more draw in one place moves nothing elsewhere.
 */

import { Buffer } from 'node:buffer'

/** A place in the tree of seeds; streams and ids hang on it by number. */
export class Seed {
  readonly #a: number
  readonly #b: number

  private constructor(a: number, b: number) {
    this.#a = a
    this.#b = b
  }

  static of(text: string): Seed {
    let a = 0x243f6a88
    let b = 0x85a308d3
    for (let i = 0; i < text.length; i++) {
      a = Math.imul(a ^ text.charCodeAt(i), 0x9e3779b1)
      b = Math.imul(b ^ text.charCodeAt(i) ^ (a >>> 15), 0x85ebca77)
    }
    return new Seed(mixed(a ^ text.length), mixed(b + a))
  }

  /** The seed of one concern. */
  branch(name: string): Seed {
    const own = Seed.of(name)
    return new Seed(mixed(this.#a ^ own.#b), mixed(this.#b + own.#a))
  }

  /** The n-th stream. */
  stream(n = 0): Chance {
    const low = n >>> 0
    const high = Math.floor(n / WORD) >>> 0
    return new Chance(mixed(this.#a ^ low), mixed(this.#b + low), mixed(this.#a + high), mixed(this.#b ^ low ^ high))
  }

  /** The n-th UUID; a function of its number alone. */
  uuid(n: number): string {
    const low = mixed(n ^ this.#a)
    const high = mixed(Math.floor(n / WORD) ^ low ^ this.#b)
    const c = mixed(high + Math.imul(low, 0x9e3779b1))
    return uuidOf(low, high, c, mixed(c ^ Math.imul(high, 0x85ebca77)))
  }
}

/** One stream of chance (sfc32). */
export class Chance {
  #a: number
  #b: number
  #c: number
  #d: number

  constructor(a: number, b: number, c: number, d: number) {
    this.#a = a | 0
    this.#b = b | 0
    this.#c = c | 0
    this.#d = d | 0
    for (let i = 0; i < WARM_UP; i++) this.word()
  }

  /** 32 bits. */
  word(): number {
    const out = (((this.#a + this.#b) | 0) + this.#d) | 0
    this.#d = (this.#d + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + out
    this.#c |= 0
    return out >>> 0
  }

  /** A whole number from 0 up to, not including, `count`. */
  below(count: number): number {
    return Math.floor((this.word() / WORD) * count)
  }

  /** A whole number of the range, both ends included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1)
  }

  /** True with this probability. */
  happens(probability: number): boolean {
    return this.word() < probability * WORD
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!
  }

  /** Whole number with this mean, as waiting times between independent events have it. */
  exponential(mean: number): number {
    return Math.round(-naturalLog((this.word() + 0.5) / WORD) * mean)
  }

  /** Whole number with this mean, seldom near zero: how long people talk. */
  span(mean: number): number {
    return this.exponential(mean / 3) + this.exponential(mean / 3) + this.exponential(mean / 3)
  }

  uuid(): string {
    return uuidOf(this.word(), this.word(), this.word(), this.word())
  }
}

const WORD = 0x1_0000_0000
const WARM_UP = 10
const DIGITS: Uint8Array = Buffer.from('0123456789abcdef')
const UUID: Buffer = Buffer.alloc(36, '-')

/** Of a number in (0, 1], by halving and a series: good to about 1e-9. */
function naturalLog(value: number): number {
  let x = value
  let halvings = 0
  while (x < 0.5) {
    x *= 2
    halvings++
  }
  const z = (x - 1) / (x + 1)
  const q = z * z
  return 2 * z * (1 + q * (1 / 3 + q * (1 / 5 + q * (1 / 7 + q * (1 / 9 + q * (1 / 11 + q / 13)))))) - halvings * Math.LN2
}

/**
 * Written through a buffer, since a text put together from pieces stays a tree of pieces: longer to copy, and eight times the
 * memory (V8).
 */
function uuidOf(a: number, b: number, c: number, d: number): string {
  putDigits(0, a >>> 16)
  putDigits(4, a)
  putDigits(9, b >>> 16)
  putDigits(14, (b & 0xfff) | 0x4000)
  putDigits(19, ((c >>> 16) & 0x3fff) | 0x8000)
  putDigits(24, c)
  putDigits(28, d >>> 16)
  putDigits(32, d)
  return UUID.toString('latin1')
}

function putDigits(at: number, word: number): void {
  UUID[at] = DIGITS[(word >>> 12) & 15]!
  UUID[at + 1] = DIGITS[(word >>> 8) & 15]!
  UUID[at + 2] = DIGITS[(word >>> 4) & 15]!
  UUID[at + 3] = DIGITS[word & 15]!
}

function mixed(word: number): number {
  let h = word | 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

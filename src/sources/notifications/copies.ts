/**
 * Two channels with the same topics give every event twice; here the copies are matched one to one. A body may legitimately
 * come again (a station set, cleared and set again), so equal content is counted and not just remembered: the k-th copy from
 * one channel pairs with the k-th from another, in whatever order the channels are read.
 *
 * Content is the message without `metadata`, in canonical form: that both channels get the same `CorrelationId` is documented
 * nowhere, and an event that lost its like for that would be given twice.
 *
 * A copy waits for its like only while that may still come. What one channel alone was sent, before the other was subscribed,
 * must not swallow a later event that says the same.
 */
import { Buffer } from 'node:buffer'
import { hash } from 'node:crypto'
import { canonicalExact } from '../../event/canonical.ts'
import { parseExact } from '../../event/json.ts'
import type { JsonObject } from '../../event/json.ts'
import type { Frame } from './frames.ts'

/** A first copy, and the channels that have not given theirs. */
type Copy<L> = { readonly key: string; readonly atMs: number; readonly missing: Set<L>; done: boolean }

export class Copies<L> {
  readonly #channels = new Set<L>()
  readonly #byKey = new Map<string, Copy<L>[]>()
  /** All copies, oldest first, so that they can be forgotten in order. */
  #order: Copy<L>[] = []
  #oldest = 0
  #size = 0
  readonly #maxAgeMs: number
  readonly #maxCopies: number
  /** Copies forgotten before their time for want of room: each may have let a second copy through. */
  forgotten = 0

  constructor(maxAgeMs: number, maxCopies: number) {
    this.#maxAgeMs = maxAgeMs
    this.#maxCopies = maxCopies
  }

  /** From here on `channel` may give what others give too. */
  add(channel: L): void {
    this.#channels.add(channel)
  }

  remove(channel: L): void {
    if (!this.#channels.delete(channel)) return
    this.cannotGive(channel, Infinity)
  }

  /** `channel` has given everything that others gave until then: what is missing from it will not come. */
  cannotGive(channel: L, untilMs: number): void {
    for (let at = this.#oldest; at < this.#order.length && this.#order[at]!.atMs <= untilMs; at++) this.#seen(this.#order[at]!, channel)
  }

  /** Copies remembered. */
  get size(): number {
    return this.#size
  }

  /** Whether this is the first copy of an event, which is to be handed on. `content` is asked for only where it matters. */
  isFirst(channel: L, content: () => string, nowMs: number): boolean {
    this.#forgetOld(nowMs)
    if (this.#channels.size < 2 && this.#size === 0) return true
    const key = content()
    const like = this.#byKey.get(key)?.find(({ missing }) => missing.has(channel))
    if (like !== undefined) {
      this.#seen(like, channel)
      return false
    }
    const missing = new Set(this.#channels)
    missing.delete(channel)
    if (missing.size > 0) this.#remember({ key, atMs: nowMs, missing, done: false })
    return true
  }

  #seen(copy: Copy<L>, channel: L): void {
    copy.missing.delete(channel)
    if (copy.missing.size === 0) this.#drop(copy)
  }

  #remember(copy: Copy<L>): void {
    if (this.#order.length - this.#oldest >= this.#maxCopies) this.#dropOldest(copy.atMs)
    const equal = this.#byKey.get(copy.key)
    if (equal === undefined) this.#byKey.set(copy.key, [copy])
    else equal.push(copy)
    this.#order.push(copy)
    this.#size++
  }

  #forgetOld(nowMs: number): void {
    for (;;) {
      const copy = this.#order[this.#oldest]
      if (copy === undefined || (!copy.done && nowMs - copy.atMs <= this.#maxAgeMs)) return
      this.#dropOldest(nowMs)
    }
  }

  #dropOldest(nowMs: number): void {
    const copy = this.#order[this.#oldest]!
    if (!copy.done && nowMs - copy.atMs <= this.#maxAgeMs) this.forgotten++
    this.#drop(copy)
    this.#oldest++
    if (this.#oldest < 1_024 && this.#oldest < this.#order.length) return
    this.#order = this.#order.slice(this.#oldest)
    this.#oldest = 0
  }

  #drop(copy: Copy<L>): void {
    if (copy.done) return
    copy.done = true
    this.#size--
    const rest = (this.#byKey.get(copy.key) ?? []).filter((other) => other !== copy)
    if (rest.length === 0) this.#byKey.delete(copy.key)
    else this.#byKey.set(copy.key, rest)
  }
}

/** What is compared of a frame. */
export function contentOf(frame: Frame, bytes: Uint8Array): string {
  const text = frame.kind === 'event' ? canonicalExact(withoutMetadata(frame.message), () => withoutMetadata(parseExact(frame.text))) : null
  return hash('sha256', text ?? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1'), 'base64')
}

function withoutMetadata(message: unknown): JsonObject {
  return { ...(message as JsonObject), metadata: null }
}

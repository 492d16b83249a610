/**
 * Two channels with the same topics give every event twice; here the copies are matched one to one. A body may legitimately
 * come again (a station set, cleared and set again), so equal content is counted and not just remembered: the k-th copy from
 * one channel pairs with the k-th from another, in whatever order the channels are read.
 *
 * Content is the message without `metadata`, in canonical form: whether both channels get the same `CorrelationId` is not
 * documented. Where it is seen to be the same, it decides which of several equal bodies belong together.
 *
 * A copy waits only so long for its like: what one channel alone was sent, before the other was subscribed, must not swallow a
 * later event that says the same.
 */
import { Buffer } from 'node:buffer'
import { hash } from 'node:crypto'
import { canonicalExact } from '../../event/canonical.ts'
import { isObject, parseExact } from '../../event/json.ts'
import type { JsonObject } from '../../event/json.ts'
import type { Frame } from './frames.ts'

/** A frame reduced to what is compared. */
export type Content = { readonly key: string; readonly correlation: string | null }

/** A first copy, and the channels that have not given theirs. */
type Copy<L> = { readonly key: string; readonly correlation: string | null; readonly atMs: number; readonly missing: Set<L>; done: boolean }

export class Copies<L> {
  readonly #channels = new Set<L>()
  readonly #byKey = new Map<string, Copy<L>[]>()
  /** All copies, oldest first, so that they can be forgotten in order. */
  #order: Copy<L>[] = []
  #oldest = 0
  #sameCorrelation = false
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
    if (this.#channels.size < 2) this.#sameCorrelation = false
    for (let at = this.#oldest; at < this.#order.length; at++) this.#seen(this.#order[at]!, channel)
  }

  /** Copies remembered. */
  get size(): number {
    return this.#order.length - this.#oldest
  }

  /** Whether this is the first copy of an event, which is to be handed on. */
  isFirst(channel: L, content: () => Content, nowMs: number): boolean {
    this.#forgetOld(nowMs)
    if (this.#channels.size < 2 && this.size === 0) return true
    const { key, correlation } = content()
    const waiting = (this.#byKey.get(key) ?? []).filter((copy) => copy.missing.has(channel))
    const same = correlation === null ? undefined : waiting.find((copy) => copy.correlation === correlation)
    if (same !== undefined) this.#sameCorrelation = true
    const copy = same ?? (this.#sameCorrelation && correlation !== null ? undefined : waiting[0])
    if (copy !== undefined) {
      this.#seen(copy, channel)
      return false
    }
    const missing = new Set(this.#channels)
    missing.delete(channel)
    if (missing.size > 0) this.#remember({ key, correlation, atMs: nowMs, missing, done: false })
    return true
  }

  #seen(copy: Copy<L>, channel: L): void {
    copy.missing.delete(channel)
    if (copy.missing.size === 0) this.#drop(copy)
  }

  #remember(copy: Copy<L>): void {
    if (this.size >= this.#maxCopies) this.#dropOldest(copy.atMs)
    const equal = this.#byKey.get(copy.key)
    if (equal === undefined) this.#byKey.set(copy.key, [copy])
    else equal.push(copy)
    this.#order.push(copy)
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
    const rest = (this.#byKey.get(copy.key) ?? []).filter((other) => other !== copy)
    if (rest.length === 0) this.#byKey.delete(copy.key)
    else this.#byKey.set(copy.key, rest)
  }
}

/** What is compared of a frame. */
export function contentOf(frame: Frame, bytes: Uint8Array): Content {
  if (frame.kind === 'event') {
    const text = canonicalExact(withoutMetadata(frame.message), () => withoutMetadata(parseExact(frame.text)))
    const metadata = frame.message['metadata']
    const correlation = isObject(metadata) ? metadata['CorrelationId'] : undefined
    if (text !== null) return { key: digest(text), correlation: typeof correlation === 'string' ? correlation : null }
  }
  return { key: digest(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')), correlation: null }
}

function withoutMetadata(message: unknown): JsonObject {
  return { ...(message as JsonObject), metadata: null }
}

function digest(text: string): string {
  return hash('sha256', text, 'base64')
}

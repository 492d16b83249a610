/**
 * One set of topics and the channels that carry it, one after the other. A successor is opened, subscribed and proven before
 * its predecessor is closed, whenever that still works, and the two run side by side for a while. Every moment that no
 * channel covered with certainty is a gap; the gaps of a shard never overlap.
 */
import type { Buffer } from 'node:buffer'
import { TrunklineError } from '../../errors.ts'
import type { Platform, TopicState } from '../../genesys/platform.ts'
import type { Clock } from '../../pipeline/clock.ts'
import type { SourceOutput } from '../source.ts'
import { contentOf, Copies } from './copies.ts'
import type { Frame } from './frames.ts'
import { Link } from './link.ts'
import type { LinkOptions } from './link.ts'
import type { ShardTopics } from './plan.ts'
import type { NotificationSettings } from './settings.ts'

/** A time in which some topics of a shard were not covered. */
export type ShardGap = {
  readonly shard: string
  readonly fromMs: number
  readonly toMs: number
  readonly reason: string
  /** Templates of the topics. */
  readonly topics: readonly string[]
}

export type ShardOptions = {
  readonly key: string
  /** Its place among all shards: spreads the renewals over time. */
  readonly place: number
  readonly platform: Platform
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  readonly settings: NotificationSettings
  readonly signal: AbortSignal
  readonly output: SourceOutput
  /** Up to when the shard was whole before this process; null when that is not known. */
  readonly wholeMs: number | null
  /** Resolves when frames may come. */
  readonly room: () => Promise<void>
  readonly full: () => boolean
  /** Called for the first copy of every frame that is none of the protocol's. */
  readonly onRecord: (shard: Shard, frame: Frame, bytes: Buffer) => void
  readonly onGap: (gap: ShardGap) => void
}

export class Shard {
  readonly #o: ShardOptions
  readonly #copies: Copies<Link>
  #topics: ShardTopics = new Map()
  #needed = Promise.withResolvers<void>()
  /** Open links, and ended ones whose time has not been counted yet; in the order they were opened. */
  #links: Link[] = []
  #current: Link | null = null
  #wholeMs: number | null
  #gapEndMs: number
  #reason: string | null
  /** The link whose trouble `#reason` is. */
  #troubled: Link | null = null
  /** Templates that a gap to come concerns; null is all. */
  #affected: ReadonlySet<string> | null = null
  #failures = 0
  #told = false
  #finishing = false
  #syncing = false
  #again = false
  readonly #refused = new Map<string, string>()
  #counts = { events: 0, copies: 0, foreign: 0, frameTooLarge: 0, channelsOpened: 0 }

  constructor(o: ShardOptions) {
    this.#o = o
    this.#wholeMs = o.wholeMs
    this.#gapEndMs = o.wholeMs ?? 0
    this.#reason = o.wholeMs === null ? null : 'process.stopped'
    this.#copies = new Copies(2 * o.settings.timing.overlapMs, MAX_COPIES)
  }

  get key(): string {
    return this.#o.key
  }

  get topics(): ShardTopics {
    return this.#topics
  }

  /** Up to when everything has certainly come; null while nothing is known. */
  get wholeMs(): number | null {
    return this.#wholeMs
  }

  /** What the channel has to carry from now on. */
  setTopics(topics: ShardTopics): void {
    this.#topics = topics
    if (topics.size > 0) this.#needed.resolve()
    void this.#sync()
  }

  /** Stops or begins reading all sockets. */
  pause(paused: boolean): void {
    for (const link of this.#links) link.pause(paused)
  }

  /** Ends all channels in order, taking what is still on the way. */
  async finish(): Promise<void> {
    this.#finishing = true
    await Promise.all(this.#links.map((link) => link.finish()))
  }

  /** Keeps a channel open until the signal; resolves then. */
  async run(): Promise<void> {
    const { clock, signal, settings } = this.#o
    const { stableMs } = settings.timing
    await Promise.race([this.#needed.promise, aborted(signal)])
    while (!signal.aborted && !this.#finishing) {
      await this.#o.room()
      const link = await this.#open()
      const workingAtMs = clock.nowMs()
      if (link !== null) {
        const why = await link.attention
        if (signal.aborted || this.#finishing) break
        if (why !== 'due') this.#lost(link, why)
        if (clock.nowMs() - workingAtMs >= stableMs) {
          this.#failures = 0
          // It still works: its successor may come at once.
          if (link.live) continue
        }
      }
      this.#failures++
      await clock.wait(this.#backoffMs(), signal)
    }
  }

  status(): object {
    return {
      key: this.#o.key,
      topics: this.#topics.size,
      working: this.#current?.trusted === true,
      wholeUntilMs: this.#wholeMs,
      failuresInARow: this.#failures,
      reason: this.#reason,
      channels: this.#links.filter((link) => link.live).map((link) => link.status()),
      refused: [...this.#refused].map(([topic, reason]) => ({ topic, reason })),
      ...this.#counts,
      copiesForgotten: this.#copies.forgotten,
    }
  }

  /** A new channel, proven to work; null when there is none. */
  async #open(): Promise<Link | null> {
    const begun = (link: Link): void => {
      this.#counts.channelsOpened++
      this.#links.push(link)
      this.#copies.add(link)
      link.pause(this.#o.full())
    }
    try {
      const link = await Link.open(this.#linkOptions(), [...this.#topics.keys()], begun, (states) => this.#note(states))
      if (!(await link.working)) {
        link.close()
        return null
      }
      this.#adopt(link)
      return link
    } catch (error) {
      if (!this.#o.signal.aborted && !this.#told) {
        this.#told = true
        const [code, why] =
          error instanceof TrunklineError ? [error.code, error.message] : ['notifications.connect_failed', 'unexpected failure']
        this.#o.output.warn(code, `Notifications of ${this.#o.key} cannot be received: ${why} It is tried again.`)
      }
      return null
    }
  }

  #linkOptions(): LinkOptions {
    const { platform, clock, settings, signal, place } = this.#o
    const renewAfter = (23 - place / 6) / 24
    return {
      platform,
      clock,
      settings,
      signal,
      renewAfter,
      onFrame: (link, frame, bytes) => this.#read(link, frame, bytes),
      onChange: () => this.#advance(),
    }
  }

  #adopt(link: Link): void {
    this.#current = link
    this.#told = false
    // Those before may now prove that they reach into the new one's time.
    for (const other of this.#links) if (other !== link) other.ping()
    void this.#sync()
    void this.#retireBefore(link)
  }

  async #retireBefore(link: Link): Promise<void> {
    await this.#o.clock.wait(this.#o.settings.timing.overlapMs, this.#o.signal)
    if (this.#current !== link || !link.trusted) return
    for (const other of this.#links.slice(0, this.#links.indexOf(link))) other.close()
  }

  #read(link: Link, frame: Frame, bytes: Buffer): void {
    if (frame.kind === 'unsubscribed' && link === this.#current) this.#unsubscribed(frame.topics)
    if (frame.kind !== 'event' && frame.kind !== 'foreign') return
    if (!this.#copies.isFirst(link, () => contentOf(frame, bytes), this.#o.clock.nowMs())) {
      this.#counts.copies++
      return
    }
    if (frame.kind === 'event') this.#counts.events++
    else this.#counts.foreign++
    this.#o.onRecord(this, frame, bytes)
  }

  #lost(link: Link, why: string): void {
    if (why === 'frame.too_large') {
      this.#counts.frameTooLarge++
      const most = this.#o.settings.maxFrameBytes
      this.#o.output.warn(
        'notifications.frame_too_large',
        `A notification larger than ${most} bytes ended its WebSocket. It is lost; the gap is reported.`,
      )
    }
    if (why !== 'topic.unsubscribed') this.#affected = null
    if (this.#reason !== null) return
    this.#troubled = link
    this.#reason = link.heldBack && why === 'channel.closed' ? 'source.backpressure' : why
    if (this.#reason === 'channel.closed') void this.#askWhetherEvicted(link)
  }

  async #askWhetherEvicted(link: Link): Promise<void> {
    const exists = await this.#o.platform.channelExists(link.channelId, this.#o.signal).catch(() => true)
    if (!exists && this.#reason === 'channel.closed') this.#reason = 'channel.evicted'
  }

  #unsubscribed(topics: readonly string[]): void {
    const templates = topics.flatMap((topic) => this.#topics.get(topic) ?? [])
    if (this.#reason === null && templates.length > 0) this.#affected = new Set(templates)
  }

  /** Counts how far the links reach, and reports what none of them covered. */
  #advance(): void {
    for (const link of this.#links) {
      if (link.provenMs !== null) this.#copies.cannotGive(link, link.provenMs - COPIES_APART_MS)
      if (!link.live) this.#copies.remove(link)
    }
    for (;;) {
      const proven = this.#links.filter((link) => link.provenMs !== null)
      if (this.#wholeMs === null && proven.length > 0) this.#wholeMs = this.#gapEndMs = Math.min(...proven.map(startOf))
      const wholeMs = this.#wholeMs
      if (wholeMs === null) break
      const reaching = proven.filter((link) => startOf(link) <= wholeMs)
      this.#wholeMs = Math.max(wholeMs, ...reaching.map((link) => link.provenMs ?? 0))
      // One that still reaches on may yet close what would be a gap.
      if (this.#wholeMs > wholeMs) continue
      if (reaching.some((link) => link.trusted)) break
      const next = proven.filter((link) => startOf(link) > wholeMs).sort((a, b) => startOf(a) - startOf(b))[0]
      if (next === undefined) break
      this.#gap(wholeMs, startOf(next))
      this.#wholeMs = startOf(next)
    }
    const current = this.#current
    // The successor took over in time: nothing of that trouble was a gap.
    if (current !== this.#troubled && current?.trusted === true && startOf(current) <= (this.#wholeMs ?? -1))
      this.#reason = this.#affected = null
    const whole = this.#wholeMs
    this.#links = this.#links.filter((link) => link.live || (link.provenMs !== null && (whole === null || link.provenMs > whole)))
    const ended = this.#links.filter((link) => !link.live)
    // An ended link forgotten makes the gap larger, never smaller.
    if (ended.length > MAX_ENDED) this.#links = this.#links.filter((link) => link !== ended[0])
  }

  #gap(fromMs: number, toMs: number): void {
    const start = Math.max(fromMs - this.#o.settings.timing.proofMarginMs, this.#gapEndMs)
    const all = new Set([...this.#topics.values()].flat())
    // Single topics are the loss only where the channel that lost them still brings the others.
    const others = this.#links.some((link) => link.live && startOf(link) <= fromMs)
    const topics = this.#affected !== null && others ? this.#affected : all
    this.#o.onGap({ shard: this.#o.key, fromMs: start, toMs, reason: this.#reason ?? 'channel.closed', topics: [...topics].sort() })
    this.#gapEndMs = toMs
    this.#reason = null
    this.#affected = null
  }

  /** Brings the topics of the channel in line with what is wanted, with few requests. */
  async #sync(): Promise<void> {
    this.#again = true
    if (this.#syncing) return
    this.#syncing = true
    while (this.#again && !this.#o.signal.aborted) {
      this.#again = false
      const link = this.#current
      if (link === null || !link.live) break
      try {
        await this.#syncOnce(link)
      } catch {
        this.#again = true
        await this.#o.clock.wait(SYNC_RETRY_MS, this.#o.signal)
      }
    }
    this.#syncing = false
  }

  async #syncOnce(link: Link): Promise<void> {
    const missing = [...this.#topics.keys()].filter((topic) => !link.topics.has(topic))
    const stale = link.topics.size + missing.length - this.#topics.size
    const room = this.#o.settings.topicsPerChannel
    // Topics no longer wanted stay until there are many or room is short: taking them off costs a request.
    if (stale > room / 4 || (stale > 0 && link.topics.size + missing.length > room)) {
      this.#note(await link.replace([...this.#topics.keys()]))
    } else if (missing.length > 0) {
      const states = await link.add(missing)
      this.#note(states)
      // It took a request: gather what comes next into one.
      if (states.length > 0) await this.#o.clock.wait(SYNC_RETRY_MS, this.#o.signal)
    }
  }

  #note(states: readonly TopicState[]): void {
    for (const { topic, permitted, reason, missingPermissions } of states) {
      if (permitted) this.#refused.delete(topic)
      else if (!this.#refused.has(topic) && this.#refused.size < MAX_REFUSED) {
        const template = this.#topics.get(topic)?.join(', ') ?? 'a topic'
        const told = [...this.#refused.keys()].some((other) => this.#topics.get(other)?.join(', ') === template)
        this.#refused.set(topic, reason ?? 'no reason given')
        const missing = missingPermissions.length > 0 ? ` Missing permissions: ${missingPermissions.join(', ')}.` : ''
        if (!told)
          this.#o.output.warn('notifications.topic_refused', `Genesys refuses ${template} (${reason ?? 'no reason given'}).${missing}`)
      }
    }
  }

  #backoffMs(): number {
    const { backoffBaseMs, backoffMaxMs } = this.#o.settings.timing
    return Math.min(backoffMaxMs, backoffBaseMs * 2 ** Math.min(this.#failures - 1, 20)) * (0.5 + this.#o.random() / 2)
  }
}

const MAX_COPIES = 100_000
/** Genesys puts an event on all channels within so long. */
const COPIES_APART_MS = 5_000
const MAX_ENDED = 8
const MAX_REFUSED = 1_000
const SYNC_RETRY_MS = 2_000

function startOf(link: Link): number {
  return link.subscribedAtMs ?? Infinity
}

function aborted(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(null)
    else signal.addEventListener('abort', () => resolve(null), { once: true })
  })
}

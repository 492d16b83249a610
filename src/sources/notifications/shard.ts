/**
 * One set of topics and the channels that carry it, one after the other. A successor is opened, subscribed and proven before
 * its predecessor is closed, whenever that still works, and the two run side by side for a while. Every moment that no
 * channel covered with certainty is a gap; the gaps of a shard never overlap.
 */
import type { Buffer } from 'node:buffer'
import { TrunklineError } from '../../errors.ts'
import type { Platform } from '../../genesys/platform.ts'
import type { Clock } from '../../pipeline/clock.ts'
import type { SourceOutput } from '../source.ts'
import { contentOf, Copies } from './copies.ts'
import { Coverage } from './coverage.ts'
import type { Frame } from './frames.ts'
import { closedAtOnce, Link } from './link.ts'
import type { FreshChannel, LinkOptions } from './link.ts'
import type { ShardTopics } from './plan.ts'
import type { NotificationSettings } from './settings.ts'
import { TopicSync } from './topic-sync.ts'

/** A time in which some topics of a shard were not covered. */
export type ShardGap = {
  readonly shard: string
  readonly fromMs: number
  readonly toMs: number
  readonly reason: string
  /** Templates of the topics. */
  readonly topics: readonly string[]
}

/** One that is not counted yet; `toMs` is null while it lasts. */
export type OpenShardGap = Omit<ShardGap, 'toMs'> & { readonly toMs: number | null }

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
  /** Genesys has confirmed topics for the first time: from now on there is something to miss. */
  readonly onBegin: () => void
  /** Why there is no channel just now. */
  readonly onProblem: (code: string, message: string) => void
}

export class Shard {
  readonly #o: ShardOptions
  readonly #copies: Copies<Link>
  readonly #coverage: Coverage
  readonly #sync: TopicSync
  #topics: ShardTopics = new Map()
  #needed = Promise.withResolvers<void>()
  /** Open links, and ended ones whose time has not been counted yet; in the order they were opened. */
  #links: Link[] = []
  #current: Link | null = null
  #reason: string | null
  /** The link whose trouble `#reason` is. */
  #troubled: Link | null = null
  /** Templates that a gap to come concerns; null is all. */
  #affected: ReadonlySet<string> | null = null
  /** Templates that were subscribed when the trouble began. */
  #had: readonly string[] = []
  #failures = 0
  /** A channel that has not worked yet: tried again for a while, as Genesys allows few channels. */
  #fresh: FreshChannel | null = null
  #tries = 0
  #finishing = false
  #lastEventAtMs: number | null = null
  #counts = { events: 0, copies: 0, foreign: 0, frameTooLarge: 0, channelsOpened: 0 }

  constructor(o: ShardOptions) {
    this.#o = o
    const { clock, signal, output, settings } = o
    this.#reason = o.wholeMs === null ? null : 'process.stopped'
    this.#copies = new Copies(2 * settings.timing.overlapMs, MAX_COPIES)
    this.#coverage = new Coverage(o.wholeMs, settings.timing.proofMarginMs, (fromMs, toMs) => this.#gap(fromMs, toMs))
    this.#sync = new TopicSync({
      clock,
      signal,
      output,
      topicsPerChannel: settings.topicsPerChannel,
      wanted: () => this.#topics,
      link: () => this.#current,
    })
  }

  get key(): string {
    return this.#o.key
  }

  get topics(): ShardTopics {
    return this.#topics
  }

  /** From when on it counts what is whole; null before Genesys has confirmed anything. */
  get beganMs(): number | null {
    return this.#coverage.beganMs
  }

  /** Up to when everything has certainly come; null while nothing is known. */
  get wholeMs(): number | null {
    return this.#coverage.wholeMs
  }

  /** Whether all its topics can come now. */
  get connected(): boolean {
    return this.#topics.size === 0 || this.#links.some((link) => link.healthy)
  }

  /** The gap there is now, if there is one. */
  get openGap(): OpenShardGap | null {
    const fromMs = this.#coverage.gapFromMs
    const healthy = this.#links.filter((link) => link.healthy)
    const goesOn = this.#links.some((link) => link.hopeful && this.#coverage.includes(link))
    if (fromMs === null || this.#topics.size === 0 || goesOn) return null
    const toMs = healthy.length === 0 ? null : Math.min(...healthy.map(({ subscribedAtMs }) => subscribedAtMs ?? Infinity))
    return { shard: this.#o.key, fromMs, toMs, reason: this.#reason ?? 'channel.closed', topics: this.#concerned() }
  }

  /** What the channel has to carry from now on. */
  setTopics(topics: ShardTopics): void {
    this.#topics = topics
    if (topics.size > 0) this.#needed.resolve()
    void this.#sync.run()
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
      working: this.#current?.healthy === true,
      wholeUntilMs: this.wholeMs,
      lastEventAtMs: this.#lastEventAtMs,
      failuresInARow: this.#failures,
      reason: this.#reason,
      channels: this.#links.filter((link) => link.live).map((link) => link.status()),
      refused: this.#sync.refused,
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
      const link = await Link.open(this.#linkOptions(), await this.#channel(), [...this.#topics.keys()], begun, (states) =>
        this.#sync.note(states),
      )
      if (!(await link.working)) {
        // Of the very first one: later ones are opened for a reason that is known already.
        if (this.#current === null) this.#lost(link, await link.attention)
        const failure = link.live ? mute() : closedAtOnce(link.evicted)
        link.close()
        throw failure
      }
      this.#fresh = null
      this.#adopt(link)
      return link
    } catch (error) {
      // Another channel helps where it is not the connection that is at fault.
      if (!(error instanceof TrunklineError && error.code === 'notifications.connect_failed')) this.#fresh = null
      if (error instanceof TrunklineError) this.#problem(error.code, error.message)
      else this.#problem('notifications.connect_failed', 'An unexpected failure.')
      return null
    }
  }

  #problem(code: string, why: string): void {
    if (this.#o.signal.aborted || this.#finishing) return
    this.#o.onProblem(code, `Notifications of ${this.#o.key} cannot be received: ${why} It is tried again.`)
  }

  async #channel(): Promise<FreshChannel> {
    const { platform, clock, signal } = this.#o
    const nowMs = clock.nowMs()
    if (this.#fresh !== null && nowMs - this.#fresh.createdAtMs < FRESH_MS) {
      const { channel } = this.#fresh
      const isGone = ++this.#tries % TRIES_BETWEEN === 0 && !(await platform.channelExists(channel.id, signal).catch(() => true))
      if (!isGone) return this.#fresh
    }
    this.#fresh = null
    this.#tries = 0
    return (this.#fresh = { channel: await platform.createChannel(signal), createdAtMs: nowMs })
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
    // Those before may now prove that they reach into the new one's time.
    for (const other of this.#links) if (other !== link) other.ping()
    void this.#sync.run()
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
    if (frame.kind === 'event') {
      this.#counts.events++
      this.#lastEventAtMs = this.#o.clock.nowMs()
    } else this.#counts.foreign++
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
    this.#had = this.#templates()
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

  /** Counts how far the links reach, and lets go of those that are over. */
  #advance(): void {
    for (const link of this.#links) {
      if (link.provenMs !== null) this.#copies.cannotGive(link, link.provenMs - COPIES_APART_MS)
      if (!link.live) this.#copies.remove(link)
    }
    const isNew = this.#coverage.beganMs === null
    this.#coverage.advance(this.#links)
    if (isNew && this.#coverage.beganMs !== null) this.#o.onBegin()
    const current = this.#current
    // The successor took over in time: nothing of that trouble was a gap.
    const tookOver = current !== null && current !== this.#troubled && current.trusted && this.#coverage.includes(current)
    if (tookOver) this.#forgetTrouble()
    const whole = this.wholeMs
    this.#links = this.#links.filter((link) => link.live || (link.provenMs !== null && (whole === null || link.provenMs > whole)))
    const ended = this.#links.filter((link) => !link.live)
    // An ended link forgotten makes the gap larger, never smaller.
    if (ended.length > MAX_ENDED) this.#links = this.#links.filter((link) => link !== ended[0])
  }

  #gap(fromMs: number, toMs: number): void {
    const topics = this.#concerned()
    if (topics.length > 0) this.#o.onGap({ shard: this.#o.key, fromMs, toMs, reason: this.#reason ?? 'channel.closed', topics })
    this.#forgetTrouble()
  }

  /** Templates of the topics that a gap now concerns. */
  #concerned(): readonly string[] {
    // Single topics are the loss only where the channel that lost them still brings the others.
    const others = this.#links.some((link) => link.live && !link.trusted && this.#coverage.includes(link))
    return [...(this.#affected !== null && others ? this.#affected : new Set([...this.#had, ...this.#templates()]))].sort()
  }

  #forgetTrouble(): void {
    this.#reason = this.#affected = null
    this.#had = []
  }

  #templates(): readonly string[] {
    return [...new Set([...this.#topics.values()].flat())]
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
/** How long a channel that has not worked yet is tried: the fault may be its own. */
const FRESH_MS = 10 * 60_000
/** Attempts after which it is asked whether such a channel is still there. */
const TRIES_BETWEEN = 5

function mute(): TrunklineError {
  const hint = 'It is tried again. If it lasts: look for a proxy that holds frames back.'
  return new TrunklineError('notifications.connect_failed', 'The WebSocket is open, but does not answer.', hint)
}

function aborted(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(null)
    else signal.addEventListener('abort', () => resolve(null), { once: true })
  })
}

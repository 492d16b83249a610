/**
 * What is made of a gap: conversation detail events are had again from the analytics query, as far as it shows them; all else
 * is named as lost. Every gap is reported once it is known how much of it could be filled, and none is forgotten meanwhile, not
 * even by a restart: `pending` is part of what the source remembers.
 */
import type { ConversationDetail, Platform } from '../../genesys/platform.ts'
import type { Clock } from '../../pipeline/clock.ts'
import type { Gap, SourceOutput } from '../source.ts'
import type { Conversations } from './conversations.ts'
import { tellsOfConversations } from './conversations.ts'
import type { Delivery } from './delivery.ts'
import { withoutLive } from './match-live.ts'
import type { LiveEvent } from './match-live.ts'
import { DETAIL_TOPICS, reconstruct, RECONSTRUCTED_KINDS, recordOf } from './reconstruct.ts'
import type { NotificationSettings } from './settings.ts'
import type { ShardGap } from './shard.ts'

export type GapsOptions = {
  readonly source: string
  readonly platform: Platform
  readonly clock: Clock
  readonly settings: NotificationSettings
  readonly signal: AbortSignal
  readonly output: SourceOutput
  readonly delivery: Delivery
  readonly conversations: Conversations
  /** Templates asked for that name a conversation. */
  readonly conversationTopics: readonly string[]
  /** Number of the shard of conversations with this key; null for other shards. */
  readonly conversationShard: (key: string) => number | null
  /** Whether the conversation belongs to the users and queues asked for. */
  readonly concerns: (conversation: ConversationDetail) => boolean
  /** A conversation under way was found while a gap was filled. */
  readonly onFound: (conversationId: string) => void
  readonly liveEventsOf: (conversationId: string) => Promise<readonly LiveEvent[]>
  /** What is pending has changed. */
  readonly onChange: () => void
}

export class Gaps {
  readonly #o: GapsOptions
  #pending: ShardGap[]
  #recent: Gap[] = []
  #running = false
  #backfilled = 0
  #reported = 0
  /** Structure of events given already, so that two shards with the same gap, or a second attempt, do not give them twice. */
  readonly #given = new Set<string>()

  constructor(o: GapsOptions, pending: readonly ShardGap[]) {
    this.#o = o
    this.#pending = [...pending]
  }

  /** Gaps that are not reported yet. */
  get pending(): readonly ShardGap[] {
    return this.#pending
  }

  status(): object {
    return { reported: this.#reported, pending: this.#pending, recent: this.#recent, backfilled: this.#backfilled }
  }

  /** Topics missing where a channel had these: one that tells of conversations takes the topics of those it did not tell of along. */
  concernedBy(topics: readonly string[]): readonly string[] {
    return topics.some(tellsOfConversations) ? [...new Set([...topics, ...this.#o.conversationTopics])] : topics
  }

  /** Takes a gap of a shard. */
  add(gap: ShardGap): void {
    if (this.#kindsOf(gap).length === 0 && this.#isReported(gap, null)) return
    this.#pending.push(gap)
    while (this.#pending.length > MAX_PENDING && this.#isReported(this.#pending[0]!, null)) this.#pending.shift()
    this.#o.onChange()
    this.run()
  }

  /** Fills what is pending, one gap after the other. */
  run(): void {
    if (this.#running || this.#pending.length === 0) return
    this.#running = true
    void this.#fillAll()
  }

  async #fillAll(): Promise<void> {
    const { clock, signal, settings } = this.#o
    for (let gap = this.#pending[0]; gap !== undefined && !signal.aborted; gap = this.#pending[0]) {
      const fillable = this.#kindsOf(gap).length > 0
      if (fillable) await clock.wait(Math.max(0, gap.toMs + settings.timing.fillDelayMs - clock.nowMs()), signal)
      const filled = fillable ? await this.#fillPatiently(gap) : null
      while (!signal.aborted && !this.#isReported(gap, filled)) await clock.wait(settings.timing.fillBackoffMs, signal)
      if (signal.aborted) break
      this.#pending = this.#pending.filter((other) => other !== gap)
      this.#o.onChange()
    }
    this.#running = false
  }

  /** Events given by kind; null when the API could not be asked until it was too late. */
  async #fillPatiently(gap: ShardGap): Promise<ReadonlyMap<string, number> | null> {
    const { clock, signal, settings, output } = this.#o
    const { fillBackoffMs, fillGiveUpMs } = settings.timing
    const giveUpAtMs = Math.max(gap.toMs, clock.nowMs()) + fillGiveUpMs
    const filled = new Map(this.#kindsOf(gap).map((kind) => [kind, 0]))
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        await this.#fill(gap, filled)
        return filled
      } catch (error) {
        const waitMs = Math.min(fillGiveUpMs / 4, fillBackoffMs * 2 ** Math.min(attempt, 20))
        if (clock.nowMs() + waitMs > giveUpAtMs) {
          const why = error instanceof Error ? error.message : 'unknown reason'
          if (!signal.aborted) output.warn('notifications.gap_not_filled', `A gap of ${gap.shard} could not be filled (${why}).`)
          return null
        }
        await clock.wait(waitMs, signal)
      }
    }
    return null
  }

  async #fill(gap: ShardGap, filled: Map<string, number>): Promise<void> {
    const { platform, settings, signal, delivery } = this.#o
    const { toleranceMs, lingerMs } = settings.timing
    await delivery.settled()
    let seen = 0
    // Of a conversation that was over before the gap, the after-call work may lie in it.
    const range = { fromMs: gap.fromMs - lingerMs, toMs: gap.toMs + toleranceMs }
    for await (const conversation of platform.conversationDetails(range, signal)) {
      if (++seen > settings.fillConversations) throw new Error(`more than ${settings.fillConversations} conversations were active`)
      if (signal.aborted) return
      if (isUsable(conversation) && this.#o.concerns(conversation)) await this.#give(gap, conversation, filled)
    }
    await delivery.settled()
  }

  async #give(gap: ShardGap, conversation: ConversationDetail, filled: Map<string, number>): Promise<void> {
    const { clock, settings, delivery, conversations, conversationShard } = this.#o
    const { toleranceMs } = settings.timing
    const { conversationId } = conversation
    const known = conversations.get(conversationId)
    // It was on another channel the whole time.
    if (known !== undefined && known.sinceMs <= gap.fromMs && known.shard !== conversationShard(gap.shard)) return
    // One that the gap kept from being known was followed only later, or not at all.
    const untilMs = Math.max(gap.toMs, known === undefined ? clock.nowMs() : known.sinceMs) + toleranceMs
    if (known === undefined && conversation.conversationEnd === undefined) this.#o.onFound(conversationId)
    const events = reconstruct(conversation, clock.nowMs()).filter(
      ({ kind, atMs }) => filled.has(kind) && atMs >= gap.fromMs - toleranceMs && atMs <= untilMs,
    )
    if (events.length === 0) return
    const live = await this.#o.liveEventsOf(conversationId)
    for (const event of withoutLive(events, live, toleranceMs)) {
      const structure = `${event.conversationId} ${event.participantId} ${event.sessionId} ${event.kind} ${event.atMs}`
      if (this.#given.has(structure)) continue
      await delivery.room()
      this.#given.add(structure)
      if (this.#given.size > MAX_GIVEN) this.#given.delete(this.#given.values().next().value!)
      delivery.push(new TextEncoder().encode(recordOf(event)), clock.nowMs())
      filled.set(event.kind, (filled.get(event.kind) ?? 0) + 1)
      this.#backfilled++
    }
  }

  /** Kinds of detail events that can be had again for this gap. */
  #kindsOf(gap: ShardGap): readonly string[] {
    const missing = this.concernedBy(gap.topics)
    return RECONSTRUCTED_KINDS.filter((kind) => missing.includes(DETAIL_TOPICS + kind))
  }

  /** False when the report could not be taken: it is made again. */
  #isReported(gap: ShardGap, filled: ReadonlyMap<string, number> | null): boolean {
    const topics = filled === null ? [] : [...filled].map(([kind, events]) => ({ topic: DETAIL_TOPICS + kind, events }))
    const had = new Set(topics.map(({ topic }) => topic))
    const lost = this.concernedBy(gap.topics).filter((topic) => !had.has(topic))
    const report: Gap = { source: this.#o.source, fromMs: gap.fromMs, toMs: gap.toMs, reason: gap.reason, lost, filled: topics }
    try {
      this.#o.output.gap(report)
    } catch {
      return false
    }
    this.#reported++
    this.#recent = [...this.#recent, report].slice(-MAX_RECENT)
    return true
  }
}

const MAX_PENDING = 100
const MAX_RECENT = 100
const MAX_GIVEN = 100_000

function isUsable(conversation: ConversationDetail): boolean {
  return typeof conversation.conversationId === 'string' && /^[\w-]{1,64}$/.test(conversation.conversationId)
}

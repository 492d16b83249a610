/**
 * The Genesys notification WebSocket as a source. Every event that came while a channel was open is handed on exactly once;
 * every moment without a channel that certainly worked is a gap with a beginning and an end, filled as far as the API allows.
 *
 * Everything is handed in: the Platform API, the clock, chance, the memory over restarts and the log's knowledge of events.
 */
import type { Buffer } from 'node:buffer'
import { TrunklineError } from '../../errors.ts'
import type { Platform } from '../../genesys/platform.ts'
import type { Clock } from '../../pipeline/clock.ts'
import type { OpenGap, Source, SourceOutput } from '../source.ts'
import { concernsOf, readMembers, unknownIds } from './audience.ts'
import type { Members } from './audience.ts'
import { conversationIn, Conversations, tellsOfConversations } from './conversations.ts'
import { Delivery } from './delivery.ts'
import type { Frame } from './frames.ts'
import { Gaps } from './gaps.ts'
import type { LiveEvent } from './match-live.ts'
import { recall, wholeOf } from './memory.ts'
import type { SourceMemory, SourceState } from './memory.ts'
import { Outage } from './outage.ts'
import { planShards } from './plan.ts'
import type { ShardTopics } from './plan.ts'
import { DEFAULT_SETTINGS } from './settings.ts'
import type { NotificationSettings, NotificationTiming } from './settings.ts'
import { Shard } from './shard.ts'
import type { OpenShardGap } from './shard.ts'
import { askedTopics, subscriptionsFor } from './topics.ts'
import type { AskedTopics, Subscription } from './topics.ts'

export type NotificationOptions = {
  readonly name?: string
  readonly settings: Pick<NotificationSettings, 'topics'> &
    Partial<Omit<NotificationSettings, 'topics' | 'timing'>> & { readonly timing?: Partial<NotificationTiming> }
  readonly platform: Platform
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  readonly output: SourceOutput
  readonly memory: SourceMemory
  /** The detail events of a conversation that are in the log. Those reconstructed before belong to them. */
  readonly liveEventsOf: (conversationId: string) => Promise<readonly LiveEvent[]>
}

/** A source for what `settings` ask for. Throws a coded error when that cannot be had at all. */
export function notificationSource(options: NotificationOptions): Source {
  return new NotificationSource(options)
}

class NotificationSource implements Source {
  readonly name: string
  readonly #o: NotificationOptions
  readonly #settings: NotificationSettings
  readonly #asked: AskedTopics
  readonly #stopping = new AbortController()
  readonly #delivering = new AbortController()
  readonly #delivery: Delivery
  readonly #conversations: Conversations
  readonly #outage: Outage
  #gaps: Gaps | null = null
  #recalled: SourceState | null = null
  #plan: readonly ShardTopics[] = []
  readonly #shards: Shard[] = []
  readonly #loops: Promise<void>[] = []
  #members: Members = { users: new Set(), queues: new Set() }
  #plannedAtMs: number | null = null
  #warned = new Set<string>()
  readonly #durable = new Map<string, { wholeMs: number; next: { readonly wholeMs: number; readonly place: number } | null }>()
  #remembered = ''
  #writing: Promise<void> = Promise.resolve()
  #started = false
  #idsChecked = false

  constructor(o: NotificationOptions) {
    this.name = o.name ?? 'genesys.notifications'
    this.#o = o
    this.#settings = { ...DEFAULT_SETTINGS, ...o.settings, timing: { ...DEFAULT_SETTINGS.timing, ...o.settings.timing } }
    this.#asked = askedTopics(o.settings.topics)
    checkConversations(this.#asked)
    this.#outage = new Outage({ source: this.name, clock: o.clock, output: o.output, connected: () => this.connected })
    const { bufferBytes, bufferRecords, topicsPerChannel, timing } = this.#settings
    this.#delivery = new Delivery({
      output: o.output,
      clock: o.clock,
      maxBytes: bufferBytes,
      maxRecords: bufferRecords,
      signal: this.#delivering.signal,
      onPressure: (full) => this.#shards.forEach((shard) => shard.pause(full)),
    })
    this.#conversations = new Conversations({
      templates: this.#asked.conversation,
      combine: this.#settings.combineConversationTopics,
      shards: this.#conversationShards,
      topicsPerShard: topicsPerChannel,
      lingerMs: timing.lingerMs,
      forgottenMs: timing.forgottenMs,
    })
  }

  get connected(): boolean {
    const shards = this.#shards.filter(({ topics }) => topics.size > 0)
    return this.#plannedAtMs !== null && shards.length > 0 && shards.every(({ connected }) => connected)
  }

  async start(): Promise<void> {
    if (this.#started) return
    this.#started = true
    const { clock, memory, output } = this.#o
    const keys = ['topics-0', ...(this.#conversationShards > 0 ? ['conversations-0'] : [])]
    const { state, warning } = await recall(memory, clock.nowMs(), keys, this.#settings.timing.proofMarginMs)
    if (warning !== null) output.warn('notifications.memory', warning)
    this.#recalled = state
    this.#gaps = this.#gapsOf(this.#recalled)
    for (let i = 0; i < this.#conversationShards; i++) this.#addShard(`conversations-${i}`, this.#conversations.topicsOf(i))
    this.#loops.push(this.#keepPlanning(), this.#keepHouse())
  }

  async stop(): Promise<void> {
    if (this.#stopping.signal.aborted) return
    await Promise.all(this.#shards.map((shard) => shard.finish()))
    this.#stopping.abort()
    await this.#inTime(Promise.all([this.#delivery.settled(), ...this.#loops]))
    this.#delivering.abort()
    if (this.#started) await this.#remember()
  }

  openGaps(): readonly OpenGap[] {
    const gaps: readonly OpenShardGap[] = [
      ...(this.#gaps?.pending ?? []),
      ...this.#shards.flatMap((shard) => shard.openGap ?? []),
      ...this.#sinceLastRun(),
    ]
    const open = gaps.map(({ fromMs, toMs, reason, topics }) => {
      return { source: this.name, fromMs, toMs, reason, topics: this.#gaps?.concernedBy(topics) ?? topics }
    })
    return open.sort((a, b) => Number(a.toMs !== null) - Number(b.toMs !== null) || a.fromMs - b.fromMs)
  }

  status(): object {
    return {
      name: this.name,
      connected: this.connected,
      ...this.#outage.status(),
      users: this.#members.users.size,
      queues: this.#members.queues.size,
      plannedAtMs: this.#plannedAtMs,
      shards: this.#shards.map((shard) => shard.status()),
      buffer: this.#delivery.status(),
      conversations: this.#conversations.status(),
      gaps: this.#gaps?.status() ?? null,
    }
  }

  /** Before the first plan there are no shards that could tell of the gap since the process before. */
  #sinceLastRun(): readonly OpenShardGap[] {
    const fromMs = this.#plannedAtMs === null ? wholeOf(this.#recalled, 'topics-0') : null
    if (fromMs === null) return []
    const { user, queue, none } = this.#asked
    return [{ shard: 'topics-0', fromMs, toMs: null, reason: 'process.stopped', topics: [...none, ...user, ...queue].sort() }]
  }

  get #conversationShards(): number {
    return this.#asked.conversation.length === 0 ? 0 : this.#settings.conversationChannels
  }

  #gapsOf(recalled: SourceState | null): Gaps {
    const { platform, clock, output, liveEventsOf } = this.#o
    const learning = [...this.#asked.user, ...this.#asked.queue].filter(tellsOfConversations)
    const number = (key: string): number | null => (key.startsWith('conversations-') ? Number(key.slice('conversations-'.length)) : null)
    return new Gaps(
      {
        source: this.name,
        platform,
        clock,
        settings: this.#settings,
        signal: this.#stopping.signal,
        output,
        delivery: this.#delivery,
        conversations: this.#conversations,
        conversationTopics: this.#asked.conversation,
        conversationShard: number,
        concerns: concernsOf(learning, () => this.#members),
        onFound: (id) => this.#learn(id, false),
        liveEventsOf,
        onChange: () => void this.#remember(),
      },
      recalled?.gaps ?? [],
    )
  }

  #addShard(key: string, topics: ShardTopics): void {
    const { platform, clock, random, output } = this.#o
    const shard = new Shard({
      key,
      place: this.#shards.length,
      platform,
      clock,
      random,
      settings: this.#settings,
      signal: this.#stopping.signal,
      output,
      // One that comes later carries what nobody asked for before.
      wholeMs: this.#plannedAtMs === null ? wholeOf(this.#recalled, key) : null,
      room: () => this.#delivery.room(),
      full: () => this.#delivery.full,
      onRecord: (_shard, frame, bytes) => this.#take(frame, bytes),
      onGap: (gap) => this.#gaps?.add(gap),
      onBegin: () => void this.#remember(),
      onProblem: (code, message) => this.#outage.problem(code, message),
    })
    this.#shards.push(shard)
    shard.setTopics(topics)
    this.#loops.push(shard.run())
  }

  #take(frame: Frame, bytes: Buffer): void {
    this.#delivery.push(bytes, this.#o.clock.nowMs())
    if (frame.kind !== 'event' || this.#conversationShards === 0) return
    const told = conversationIn(frame.topicName, frame.message)
    if (told !== null) this.#learn(told.id, told.ended)
  }

  #learn(id: string, ended: boolean): void {
    const changed = this.#conversations.learn(id, ended, this.#o.clock.nowMs())
    if (changed === 'full') {
      this.#warnOnce(
        'notifications.conversations_full',
        'There are more conversations than channels have room for: some are not followed. Ask for fewer topics of conversations.',
      )
    } else if (changed !== null) this.#refreshConversations(changed)
  }

  #refreshConversations(number: number): void {
    this.#shards[number]?.setTopics(this.#conversations.topicsOf(number))
  }

  /** Reads users and queues again and again, and fits the shards to them. */
  async #keepPlanning(): Promise<void> {
    const { clock, platform } = this.#o
    const { signal } = this.#stopping
    const { refreshMs, backoffMaxMs } = this.#settings.timing
    while (!signal.aborted) {
      let nextMs = refreshMs
      try {
        this.#members = await readMembers(platform, this.#settings, this.#asked, signal)
        if (signal.aborted) return
        const wanted = this.#wanted()
        this.#fit(planShards(this.#plan, wanted, this.#limits()))
        if (wanted.length === 0) this.#outage.problem('notifications.no_topics', NO_TOPICS)
        this.#plannedAtMs = clock.nowMs()
        this.#warned.clear()
        // Gaps of the last run could not be filled before: whose conversations count was not known.
        this.#gaps?.run()
        await this.#checkIds().catch(() => undefined)
      } catch (error) {
        if (signal.aborted) return
        const known = error instanceof TrunklineError ? error : null
        const why = known === null ? 'unexpected failure' : `${known.message} ${known.hint}`
        this.#outage.problem(known?.code ?? 'notifications.plan', `Topics cannot be planned: ${why}`)
        if (this.#plannedAtMs === null) nextMs = backoffMaxMs
      }
      await clock.wait(nextMs, signal)
    }
  }

  /** Says which ids of the configuration bring nothing; once. */
  async #checkIds(): Promise<void> {
    if (this.#idsChecked) return
    const unknown = await unknownIds(this.#o.platform, this.#settings, this.#asked, this.#stopping.signal)
    this.#idsChecked = true
    const more = unknown.length > MAX_NAMED ? `; and ${unknown.length - MAX_NAMED} more` : ''
    if (unknown.length > 0) this.#o.output.warn('notifications.unknown_id', `${unknown.slice(0, MAX_NAMED).join('; ')}${more}.`)
  }

  #wanted(): readonly Subscription[] {
    const { user, queue, none } = this.#asked
    return [
      ...none.map((topic) => ({ topic, templates: [topic] })),
      ...[...this.#members.users].flatMap((id) => subscriptionsFor(user, id, true)),
      ...[...this.#members.queues].flatMap((id) => subscriptionsFor(queue, id, true)),
    ]
  }

  #limits(): { readonly topicsPerChannel: number; readonly maxShards: number } {
    const { maxChannels, topicsPerChannel } = this.#settings
    return { topicsPerChannel, maxShards: Math.floor(maxChannels / 2) - this.#conversationShards }
  }

  #fit(plan: readonly ShardTopics[]): void {
    this.#plan = plan
    plan.forEach((topics, number) => {
      const key = `topics-${number}`
      const shard = this.#shards.find((other) => other.key === key)
      if (shard === undefined) this.#addShard(key, topics)
      else shard.setTopics(topics)
    })
  }

  /** Lets go of conversations that are over, says what is wrong, and remembers how far the source is. */
  async #keepHouse(): Promise<void> {
    const { clock } = this.#o
    const { signal } = this.#stopping
    while (!signal.aborted) {
      await clock.wait(this.#settings.timing.rememberEveryMs, signal)
      for (const number of this.#conversations.sweep(clock.nowMs())) this.#refreshConversations(number)
      if (signal.aborted) break
      this.#outage.check()
      await this.#remember()
    }
  }

  /** Waits for `work`, but not for ever. */
  async #inTime(work: Promise<unknown>): Promise<void> {
    const done = new AbortController()
    await Promise.race([work, this.#o.clock.wait(this.#settings.timing.stopMs, done.signal)])
    done.abort()
  }

  /** One writing after the other, so that an older state never overwrites a newer one. */
  #remember(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write())
    return this.#writing
  }

  async #write(): Promise<void> {
    const state = this.#state()
    const text = JSON.stringify(state)
    if (text === this.#remembered) return
    this.#remembered = text
    try {
      await this.#o.memory.remember(state)
    } catch {
      this.#remembered = ''
      this.#warnOnce(
        'notifications.memory',
        'How far the notification source is cannot be remembered: after a restart, a gap may be named too large or not at all.',
      )
    }
  }

  /** A shard counts as whole up to a moment when everything that had come by then is on disk. */
  #state(): SourceState {
    for (const { key, beganMs, wholeMs } of this.#shards) {
      if (beganMs === null || wholeMs === null) continue
      const durable = this.#durable.get(key) ?? { wholeMs: beganMs, next: null }
      this.#durable.set(key, durable)
      for (let round = 0; round < 2; round++) {
        durable.next ??= { wholeMs, place: this.#delivery.pushed }
        if (this.#delivery.accepted < durable.next.place) break
        durable.wholeMs = durable.next.wholeMs
        durable.next = null
      }
    }
    const before = (this.#recalled?.shards ?? []).filter(({ key }) => !this.#durable.has(key))
    const shards = [...this.#durable].map(([key, { wholeMs }]) => ({ key, wholeMs }))
    return { version: 1, shards: [...shards, ...before], gaps: this.#gaps?.pending ?? [] }
  }

  #warnOnce(code: string, message: string): void {
    if (this.#warned.has(code)) return
    this.#warned.add(code)
    this.#o.output.warn(code, message)
  }
}

const MAX_NAMED = 5
const NO_TOPICS = 'There is nothing to subscribe to: the OAuth client sees none of the users and queues whose topics are asked for.'

function checkConversations(asked: AskedTopics): void {
  if (asked.conversation.length === 0 || [...asked.user, ...asked.queue].some(tellsOfConversations)) return
  throw new TrunklineError(
    'notifications.conversations_unknown',
    `"${asked.conversation[0]}" needs the id of each conversation, and no topic is asked for that tells of conversations.`,
    'Add v2.routing.queues.{id}.conversations or v2.users.{id}.conversations to the topics.',
  )
}

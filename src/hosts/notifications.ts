/**
 * The notification source inside the service: its records go to the log, what it remembers and the gaps it reports to the
 * ledger, and what the log has of a conversation tells it which events it need not reconstruct.
 */
import type { Config } from '../config/config.ts'
import type { Event } from '../event/event.ts'
import type { Platform } from '../genesys/platform.ts'
import { isReconstructed } from '../event/origin.ts'
import { frameEvent } from '../log/frame.ts'
import type { Log } from '../log/log.ts'
import { search } from '../log/search.ts'
import type { Clock } from '../pipeline/clock.ts'
import type { Ledger } from '../routes/ledger.ts'
import { bodyOf } from '../schema/assess.ts'
import type { LiveEvent } from '../sources/notifications/match-live.ts'
import type { SourceMemory } from '../sources/notifications/memory.ts'
import { notificationSource } from '../sources/notifications/notifications.ts'
import type { Source, SourceRecord } from '../sources/source.ts'
import type { GapBook } from './gap-book.ts'

export type NotificationRooms = {
  readonly settings: NonNullable<Config['genesys']['notifications']>
  readonly platform: Platform
  readonly log: Log
  readonly ledger: Ledger
  readonly gaps: GapBook
  readonly clock: Clock
  readonly random: () => number
  readonly warn: (code: string, message: string) => void
  readonly info: (message: string) => void
}

const KEPT_AS = 'notifications'
const VIA = 'notifications'
const DETAIL = 'v2.detail.events.conversation.{id}.'
/** Events of one conversation that are looked at; real ones have some dozens. */
const MAX_EVENTS = 5_000
/** Records that are looked through for the last notification. */
const MAX_SEARCHED = 50_000

/** The source, not yet started. Throws a coded error for what can never work. */
export function openNotifications(rooms: NotificationRooms): Source {
  const { settings, platform, log, ledger, gaps, clock, random, warn, info } = rooms
  return notificationSource({
    settings: { topics: settings.topics, users: audience(settings.users), queues: audience(settings.queues) },
    platform,
    clock,
    random,
    output: {
      accept: appendTo(log),
      gap: (gap) => {
        gaps.add(gap)
        const seconds = Math.ceil((gap.toMs - gap.fromMs) / 1000)
        warn('notifications.gap', `${gap.source}: ${seconds} s of notifications are missing (${gap.reason}); see GET /v1/gaps`)
      },
      warn,
      info,
    },
    memory: {
      recall: async () => {
        const row = ledger.get('SELECT value FROM kept WHERE name = ?', KEPT_AS)
        return row === undefined ? undefined : (JSON.parse(String(row['value'])) as unknown)
      },
      remember: rememberIn(ledger),
      lastRecordMs: () => lastNotificationMs(log),
    },
    liveEventsOf: (conversationId) => liveEventsOf(log, conversationId),
  })
}

/** An older state found after a power cut makes the next gap larger; none at all would hide it, so the first is on disk when this resolves. */
function rememberIn(ledger: Ledger): SourceMemory['remember'] {
  let began = false
  return async (state) => {
    const write = (): number => ledger.run('INSERT OR REPLACE INTO kept (name, value) VALUES (?, ?)', KEPT_AS, JSON.stringify(state))
    if (began) write()
    else ledger.durably(write)
    began ||= state.shards.length > 0
  }
}

/** When the newest notification came that is in the log, among the newest records at least. Those filled in later say nothing of a channel. */
async function lastNotificationMs(log: Log): Promise<number | null> {
  let seen = 0
  for await (const { record } of search(log.events, {}, { order: 'desc' })) {
    const { event, via } = frameEvent(record.buffer, record.at)
    if (via === VIA && !isReconstructed(event)) return record.receivedAtMs
    if (++seen >= MAX_SEARCHED) break
  }
  return null
}

function audience(ids: readonly string[]): 'all' | readonly string[] {
  return ids.includes('*') ? 'all' : ids
}

/**
 * Each record by itself, so that one that is no event is quarantined with its exact bytes; they share a group of the log all the same.
 * Where some were written and others not, the batch is given again, and what is durable already is left out: an event without
 * a time of its own has nothing else to be known by.
 */
function appendTo(log: Log): (records: readonly SourceRecord[]) => Promise<void> {
  const durable = new WeakSet<SourceRecord>()
  return async (records) => {
    const answers = await Promise.allSettled(
      records.map(async (record) => {
        if (durable.has(record)) return
        const { bytes, receivedAtMs } = record
        await log.append(bytes, { kind: 'json', gzip: false, via: VIA, receivedAtMs })
        durable.add(record)
      }),
    )
    const failed = answers.find((answer) => answer.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }
}

/** What the log has of a conversation: its detail events, those received and those made. */
export async function liveEventsOf(log: Log, conversationId: string): Promise<readonly LiveEvent[]> {
  const found: LiveEvent[] = []
  for await (const { event } of search(log.events, { conversation: conversationId }, { order: 'desc' })) {
    const live = liveEventOf(event)
    if (live !== null) found.push(live)
    if (found.length >= MAX_EVENTS) break
  }
  return found
}

function liveEventOf(event: Event): LiveEvent | null {
  if (!event.topic.startsWith(DETAIL) || event.occurredAtMs === null || event.duplicateOf !== null) return null
  const body = bodyOf(event) as Readonly<Record<string, unknown>> | null | undefined
  const text = (name: string): string | null => (typeof body?.[name] === 'string' ? body[name] : null)
  return {
    kind: event.topic.slice(DETAIL.length),
    participantId: text('participantId'),
    sessionId: text('sessionId'),
    occurredAtMs: event.occurredAtMs,
  }
}

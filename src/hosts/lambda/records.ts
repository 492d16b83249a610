/**
 * From the messages of an invocation to events. A message may wrap several events, and some of them may be no events.
 * Ids are the same whenever the same event comes again: its identity key, or else the message and the place in it.
 */
import { hash } from 'node:crypto'
import { TrunklineError } from '../../errors.ts'
import { decodeSqsRecord, type DecodeOptions } from '../../event/decode.ts'
import type { DecodeFailure, Event } from '../../event/event.ts'
import type { SqsEvent } from './options.ts'

/** One event of a message. */
export type Item = { readonly messageId: string; readonly receiveCount: number; readonly event: Event }

/** A piece of a message that is no event. */
export type Poison = { readonly messageId: string; readonly failure: DecodeFailure }

export type Batch = {
  /** Of all messages, in order. */
  readonly messageIds: readonly string[]
  readonly items: readonly Item[]
  readonly poison: readonly Poison[]
}

/** Decodes every message. Throws when the invocation is none of SQS: then no message of it can be named in an answer. */
export function readBatch(event: SqsEvent, decode: DecodeOptions, nowMs: number): Batch {
  const records: unknown = (event as SqsEvent | null | undefined)?.Records
  if (!Array.isArray(records)) throw notSqs()
  const messageIds: string[] = []
  const items: Item[] = []
  const poison: Poison[] = []
  for (const record of records as SqsEvent['Records']) {
    const messageId: unknown = (record as { messageId?: unknown } | null)?.messageId
    if (typeof messageId !== 'string' || messageId === '') throw notSqs()
    messageIds.push(messageId)
    const receiveCount = countOf(record.attributes?.ApproximateReceiveCount) ?? 1
    const receivedAtMs = countOf(record.attributes?.SentTimestamp) ?? nowMs
    for (const [index, result] of decodeSqsRecord(record, decode).entries()) {
      if (!result.ok) {
        poison.push({ messageId, failure: result })
        continue
      }
      const id = result.event.key === null ? placeId(messageId, index) : hex(result.event.key)
      const received: Event = { ...result.event, id, receivedAtMs, duplicateOf: null, redelivered: receiveCount > 1 }
      items.push({ messageId, receiveCount, event: received })
    }
  }
  return { messageIds, items, poison }
}

/** An identity key as text. */
export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')
}

function placeId(messageId: string, index: number): string {
  return hash('sha256', `${messageId} ${index}`).slice(0, 32)
}

/** A count or an instant, both sent as digits. */
function countOf(text: unknown): number | null {
  return typeof text === 'string' && /^\d{1,15}$/.test(text) ? Number(text) : null
}

function notSqs(): TrunklineError {
  const hint = 'connect the function to a queue with an SQS event source mapping'
  return new TrunklineError('lambda.not_sqs_event', 'the function was invoked with something else than messages of an SQS queue', hint)
}

/**
 * When are two records the same event? Equal `key` means yes. A semantic key holds what the event says and when; a transport key
 * also holds the envelope's id, for events without any time of their own; without either there is no key, because the same
 * text may come again legitimately (a station set, cleared and set again) and nothing is dropped on suspicion.
 *
 *   semantic   org + topic name + identity time + canonical content
 *   transport  source + envelope id + canonical content
 *
 * Parts are length-delimited, so no two lists of parts run together into the same text.
 */
import { hash } from 'node:crypto'
import { envelopeKeyOf } from './envelope-key.ts'
import type { DecodedEvent } from './event.ts'

export type Identity = Pick<DecodedEvent, 'key' | 'keyKind' | 'envelopeKey'>

export type IdentityFacts = {
  /** Keeps formats apart that could say the same of different things. */
  readonly family: 'genesys' | 'custom-bus' | 'webhook' | 'change'
  readonly orgId: string | null
  readonly source: string
  readonly topicName: string
  readonly envelopeId: string | null
  /** The time that tells a repetition from a repeat (see identityAtMs); null without one. */
  readonly atMs: number | null
  /** Canonical text for a semantic key: the body (Genesys), `detail` (custom bus), everything (webhook). Null: nothing to compare by. */
  readonly content: () => string | null
  /** Canonical text for a transport key. */
  readonly transportContent: () => string | null
}

/**
 * The time that belongs to a Genesys event's identity. Normally its business time. The body of a snapshot topic repeats when a state
 * comes back (A, B, A), so there the publish time counts, where the record has one.
 */
export function identityAtMs(times: {
  readonly occurredAtMs: number | null
  readonly timestampMs: number | null
  readonly snapshot: boolean
}): number | null {
  return times.snapshot ? (times.timestampMs ?? times.occurredAtMs) : (times.occurredAtMs ?? times.timestampMs)
}

/** The keys of one event. */
export function identityOf(facts: IdentityFacts): Identity {
  const envelopeKey = facts.envelopeId === null ? null : envelopeKeyOf(facts.source, facts.envelopeId)
  const semantic = facts.atMs === null ? null : facts.content()
  if (semantic !== null) {
    const prefix = 's' + part(facts.family) + part(facts.orgId ?? '') + part(facts.topicName) + part(String(facts.atMs))
    const source = facts.family === 'genesys' ? '' : part(facts.source)
    return { key: digest(prefix + source + semantic), keyKind: 'semantic', envelopeKey }
  }
  const transport = facts.envelopeId === null ? null : facts.transportContent()
  if (facts.envelopeId === null || transport === null) return { key: null, keyKind: 'none', envelopeKey }
  return { key: digest('t' + part(facts.source) + part(facts.envelopeId) + transport), keyKind: 'transport', envelopeKey }
}

function part(text: string): string {
  return text.length + ':' + text
}

/** First 16 bytes of SHA-256. Asked for as a one-byte string: 0.85 us instead of 1.5 us for a Buffer (1 KB, Node 24). */
function digest(text: string): Uint8Array {
  const bytes = hash('sha256', text, 'binary')
  const key = new Uint8Array(16)
  for (let i = 0; i < 16; i++) key[i] = bytes.charCodeAt(i)
  return key
}

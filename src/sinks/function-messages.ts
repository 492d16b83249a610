/**
 * What the service and the process of a function sink say to each other, each over a pipe of its own. What comes from the process is
 * not trusted: user code runs there, so every message is small JSON that is read field by field.
 */
import type { AnyTopic, CustomEvent } from '../events.ts'

/** The facts of an event; its body is parsed from `raw` where it is needed. */
export type EventFacts = Omit<CustomEvent<AnyTopic | (string & {})>, 'body' | 'raw'>

/** One event on its way to the function. */
export type HandedEvent = {
  readonly facts: EventFacts
  readonly raw: Uint8Array
  readonly redelivered: boolean
  readonly idempotencyKey: string
}

export type ToProcess =
  | { readonly type: 'call'; readonly id: number; readonly event: HandedEvent }
  /** The call's signal aborts; answered at once by `heard`, unless something blocks the process. */
  | { readonly type: 'abort'; readonly id: number }

/** What was thrown, in words that fit into an outcome. */
export type Thrown = { readonly text: string; readonly permanent: boolean }

/** The pipes, as the process has them. */
export const CALLS_FD = 3
export const ANSWERS_FD = 4

export type FromProcess =
  | { readonly type: 'loaded' }
  | { readonly type: 'refused'; readonly message: string; readonly hint: string }
  | { readonly type: 'done'; readonly id: number }
  | { readonly type: 'threw'; readonly id: number; readonly thrown: Thrown }
  | { readonly type: 'heard'; readonly id: number }
  /** The call has begun, and has let others have their turn: it does not block the process from its beginning. */
  | { readonly type: 'waits'; readonly id: number }
  /** The last word before the process ends: the call in which something was thrown that nobody caught; null when in none. */
  | { readonly type: 'crashed'; readonly id: number | null; readonly thrown: Thrown }
  /** The last word before the process ends because user code said so. */
  | { readonly type: 'exiting'; readonly id: number | null }

export const MAX_TEXT_CHARS = 500

/** The message in what came from a process; null when it is none. */
export function readMessage(value: unknown): FromProcess | null {
  if (typeof value !== 'object' || value === null) return null
  const { type, id, thrown, message, hint } = value as Readonly<Record<string, unknown>>
  const call = typeof id === 'number' ? id : null
  switch (type) {
    case 'loaded':
      return { type }
    case 'refused':
      return { type, message: textOf(message), hint: textOf(hint) }
    case 'done':
    case 'heard':
    case 'waits':
      return call === null ? null : { type, id: call }
    case 'threw':
      return call === null ? null : { type, id: call, thrown: thrownOf(thrown) }
    case 'crashed':
      return { type, id: call, thrown: thrownOf(thrown) }
    case 'exiting':
      return { type, id: call }
    default:
      return null
  }
}

/** One line that is safe on a terminal: control, format and unassigned characters become spaces. */
export function oneLine(text: string, maxChars: number = MAX_TEXT_CHARS): string {
  const line = text
    .slice(0, 4 * maxChars)
    .replaceAll(/[\p{C}\p{Z}]+/gu, ' ')
    .trim()
  const chars = [...line]
  return chars.length <= maxChars ? line : `${chars.slice(0, maxChars).join('')}…`
}

function thrownOf(value: unknown): Thrown {
  const { text, permanent } = typeof value === 'object' && value !== null ? (value as { text?: unknown; permanent?: unknown }) : {}
  return { text: textOf(text), permanent: permanent === true }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? oneLine(value) : ''
}

/** What a limit counts an event by. Keys come from outside: they are cut to a length, and never become names of anything. */
import { hash } from 'node:crypto'
import type { Event } from '../event/event.ts'
import { envelopeOf } from '../event/document.ts'
import { isObject } from '../event/json.ts'

const MAX_KEY = 160

/** Reads the key of an event; null where it has none, and is not limited then. */
export function keyReader(per: string): (event: Event) => string | null {
  if (per === 'queue') return (event) => bounded(event.queueId)
  if (per === 'user') return (event) => bounded(event.userId)
  if (per === 'topic') return (event) => bounded(event.topic)
  if (per === 'conversation') return (event) => bounded(event.conversationId)
  const path = per.split('.')
  return (event) => {
    let value: unknown
    try {
      value = envelopeOf(event)
    } catch {
      return null
    }
    for (const name of path) {
      if (!isObject(value) || !Object.hasOwn(value, name)) return null
      value = value[name]
    }
    if (typeof value === 'string') return value === '' ? null : bounded(value)
    return typeof value === 'number' || typeof value === 'boolean' ? String(value) : null
  }
}

/** A longer one keeps its beginning, and a hash that tells it from others. */
export function bounded(text: string | null): string | null {
  if (text === null || text.length <= MAX_KEY) return text
  return `${text.slice(0, MAX_KEY)}#${hash('sha256', text).slice(0, 16)}`
}

/** Reads what a service answered: outside data of any shape. A missing or odd field is empty, never an exception. */

export function fieldOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined
}

/** The entries of a list; empty for anything else. */
export function listOf(value: unknown, key: string): readonly unknown[] {
  const list = fieldOf(value, key)
  return Array.isArray(list) ? (list as readonly unknown[]) : []
}

export function numberOf(value: unknown, key: string): number | null {
  const number = fieldOf(value, key)
  return typeof number === 'number' && Number.isFinite(number) ? number : null
}

/** A text or number as text; null when the field is absent, null or something else. */
export function textOf(value: unknown, key: string): string | null {
  const text = fieldOf(value, key)
  return typeof text === 'string' ? text : typeof text === 'number' || typeof text === 'boolean' ? String(text) : null
}

/** The pairs of an object; empty for anything else. */
export function entriesOf(value: unknown, key: string): readonly (readonly [string, unknown])[] {
  const record = fieldOf(value, key)
  return typeof record === 'object' && record !== null && !Array.isArray(record) ? Object.entries(record) : []
}

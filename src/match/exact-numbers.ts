/**
 * Numbers that no double holds exactly. The official library compares them as text only, so that two different big numbers are never
 * taken for one; JSON.parse rounds them. Where a pattern compares numbers and the text has such a number, it becomes NaN: a value that is
 * there but equals nothing.
 */

/** Parses an envelope; with `comparesNumbers`, inexact numbers as NaN. */
export function parseEnvelope(text: string, comparesNumbers: boolean): object {
  return JSON.parse(text, comparesNumbers && hasLongNumber(text) ? inexactAsNaN : undefined) as object
}

/** Digits (and the point) in a row from which on a number can be inexact. Beyond the largest double JSON.parse gives Infinity, which equals nothing. */
const LONG = 16

/** Looks at every 16th character: a row of 16 has one of them in it. */
function hasLongNumber(text: string): boolean {
  for (let at = LONG - 1; at < text.length; at += LONG) {
    if (!isDigit(text, at)) continue
    let start = at
    let end = at + 1
    while (end - start < LONG && isDigit(text, start - 1)) start--
    while (end - start < LONG && isDigit(text, end)) end++
    if (end - start >= LONG) return true
  }
  return false
}

function isDigit(text: string, at: number): boolean {
  const code = text.charCodeAt(at)
  return (code >= 0x30 && code <= 0x39) || code === 0x2e
}

function inexactAsNaN(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || !Number.isFinite(value) || context?.source === undefined) return value
  return digitsOf(context.source) === digitsOf(String(value)) ? value : NaN
}

/** The significant digits of a number's text and the power of ten they begin at: the same for every way to write one number. */
function digitsOf(text: string): string {
  const [, sign = '', whole = '', fraction = '', power = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(text) ?? []
  const all = `${whole}${fraction}`
  const digits = all.replace(/^0+/, '')
  if (digits === '') return '0'
  return `${sign}${digits.replace(/0+$/, '')}e${Number(power) + whole.length - (all.length - digits.length)}`
}

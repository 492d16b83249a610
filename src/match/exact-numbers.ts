/**
 * Numbers that no double holds exactly. The official library compares them as text only, so that two different big numbers are never
 * taken for one; JSON.parse rounds them. Where a pattern compares numbers and the text has such a number, it becomes NaN: a value that is
 * there but equals nothing.
 */

/** Parses an envelope; with `comparesNumbers`, inexact numbers as NaN. */
export function parseEnvelope(text: string, comparesNumbers: boolean): object {
  return JSON.parse(text, comparesNumbers && SUSPECT.test(text) ? inexactAsNaN : undefined) as object
}

/** Only a number of many digits, or one far below 1, can be inexact. (Beyond the largest double JSON.parse gives Infinity, which equals nothing.) */
const SUSPECT = /[\d.]{16}|e-\d{3}/i

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

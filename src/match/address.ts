/**
 * IP addresses and blocks of them (cidr). An address is its digits in hexadecimal: 8 for IPv4, 32 for IPv6; an IPv4 address written
 * as IPv6 (`::ffff:a00:1`) is the IPv4 one. A block is two such texts.
 *
 * Like the official library, a block compares digit by digit from the left and is content as soon as the digits so far decide: an
 * IPv6 address whose first 8 digits lie in an IPv4 block is in it. Strange, but a rule on AWS takes that event too.
 */
import type { Test } from './rule.ts'

export type Block = { readonly low: string; readonly high: string }

/** The digits of an address; null where the text is none. */
export function addressDigits(text: string): string | null {
  if (text.length > 80) return null
  if (text.includes(':')) return v6Digits(text)
  return text.includes('.') ? v4Digits(text) : null
}

/** The test of a text that is an address: every way to write it. Null where it is none. */
export function addressTest(text: string): Test | null {
  const digits = addressDigits(text)
  return digits === null ? null : blockTest({ low: digits, high: digits })
}

export function blockTest({ low, high }: Block): Test {
  return (value) => {
    const digits = typeof value === 'string' ? addressDigits(value) : null
    if (digits === null) return false
    const known = digits.slice(0, low.length)
    if (known.length === low.length) return known >= low && known <= high
    return known > low.slice(0, known.length) && known < high.slice(0, known.length)
  }
}

/** The block of `10.0.0.0/8`, or what is wrong with it in words. */
export function readBlock(text: string): Block | string {
  const [, address, bits] = /^([^/]*)\/([+-]?\d{1,9})\/*$/.exec(text) ?? []
  if (address === undefined || bits === undefined) return 'is not an address, a "/" and a number of bits'
  const digits = addressDigits(address)
  if (digits === null) return 'has something that is no IP address before the "/"'
  const width = digits.length * 4
  const fixed = Number(bits)
  if (fixed < 0 || fixed >= width) {
    return `has ${fixed} bits after the "/"; for this kind of address 0 to ${width - 1} are taken (for one address, give it alone)`
  }
  const whole = Math.floor(fixed / 4)
  const kept = digits.slice(0, whole)
  const free = 4 - (fixed % 4)
  const digit = Number.parseInt(digits[whole] ?? '0', 16)
  const edge = (value: number): string => value.toString(16).toUpperCase()
  const rest = digits.length - whole - 1
  const mask = (1 << free) - 1
  return { low: kept + edge(digit & ~mask) + '0'.repeat(rest), high: kept + edge(digit | mask) + 'F'.repeat(rest) }
}

function v4Digits(text: string): string | null {
  if (text.length > 15 || !/^\d+\.\d+\.\d+\.\d+$/.test(text)) return null
  const bytes = text.split('.').map(Number)
  return bytes.every((byte) => byte <= 255) ? bytes.map((byte) => hex(byte, 2)).join('') : null
}

function v6Digits(text: string): string | null {
  if (!/^[0-9a-fA-F:]+$/.test(text)) return null
  const halves = text.split('::')
  const groups = halves.map((half) => (half === '' ? [] : half.split(':')))
  const count = groups.reduce((sum, half) => sum + half.length, 0)
  if (halves.length > 2 || (halves.length === 2 ? count > 7 : count !== 8)) return null
  const [left = [], right = []] = groups
  const all = [...left, ...Array.from({ length: 8 - count }, () => '0'), ...right].map((group) =>
    group === '' ? NaN : Number.parseInt(group, 16),
  )
  if (!all.every((group) => group <= 0xffff)) return null
  const digits = all.map((group) => hex(group, 4)).join('')
  return digits.startsWith(MAPPED) ? digits.slice(MAPPED.length) : digits
}

const MAPPED = `${'0'.repeat(20)}FFFF`

function hex(value: number, width: number): string {
  return value.toString(16).toUpperCase().padStart(width, '0')
}

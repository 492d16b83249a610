/**
 * Where a text stops being JSON. The engine's own message quotes payload and often has no position, so this walks the bytes once:
 * linear, no recursion, only run for records that already failed to parse.
 */

type Expects = 'value' | 'value-or-end' | 'key' | 'key-or-end' | 'after'

/**
 * The offset of the first byte that cannot belong to a JSON text; `bytes.length` when the text ends too early; -1 when it is JSON.
 * `bytes` must be UTF-8.
 */
export function jsonErrorAt(bytes: Uint8Array): number {
  const open: number[] = []
  let expects: Expects = 'value'
  let at = 0
  for (;;) {
    at = skipSpace(bytes, at)
    if (at >= bytes.length) return expects === 'after' && open.length === 0 ? -1 : bytes.length
    const byte = bytes[at]!
    const top = open.at(-1)
    if (expects === 'after') {
      if (top === undefined) return at
      if (byte === 0x2c) expects = top === 0x7b ? 'key' : 'value'
      else if (byte === top + 2) open.pop()
      else return at
      at++
    } else if ((byte === 0x5d && expects === 'value-or-end') || (byte === 0x7d && expects === 'key-or-end')) {
      open.pop()
      expects = 'after'
      at++
    } else if (expects === 'key' || expects === 'key-or-end') {
      if (byte !== 0x22) return at
      const end = endOfString(bytes, at)
      if (end < 0) return -end - 1
      at = skipSpace(bytes, end)
      if (at >= bytes.length || bytes[at] !== 0x3a) return at
      expects = 'value'
      at++
    } else if (byte === 0x7b || byte === 0x5b) {
      open.push(byte)
      expects = byte === 0x7b ? 'key-or-end' : 'value-or-end'
      at++
    } else {
      const end = endOfScalar(bytes, at)
      if (end < 0) return -end - 1
      expects = 'after'
      at = end
    }
  }
}

/** These answer the offset after the token, or `-offset - 1` of the byte that is wrong. */
function endOfScalar(bytes: Uint8Array, start: number): number {
  const byte = bytes[start]!
  if (byte === 0x22) return endOfString(bytes, start)
  if (byte === 0x74) return endOfWord(bytes, start, 'true')
  if (byte === 0x66) return endOfWord(bytes, start, 'false')
  if (byte === 0x6e) return endOfWord(bytes, start, 'null')
  return endOfNumber(bytes, start)
}

function endOfString(bytes: Uint8Array, start: number): number {
  for (let at = start + 1; at < bytes.length; at++) {
    const byte = bytes[at]!
    if (byte === 0x22) return at + 1
    if (byte < 0x20) return -at - 1
    if (byte !== 0x5c) continue
    at++
    const escape = bytes[at]
    if (escape === undefined) break
    if (escape === 0x75) {
      for (const last = at + 4; at < last;) {
        at++
        if (at >= bytes.length) return -bytes.length - 1
        if (!isHex(bytes[at]!)) return -at - 1
      }
    } else if (!SHORT_ESCAPES.includes(escape)) return -at - 1
  }
  return -bytes.length - 1
}

function endOfWord(bytes: Uint8Array, start: number, word: string): number {
  for (let i = 0; i < word.length; i++) if (bytes[start + i] !== word.charCodeAt(i)) return -Math.min(start + i, bytes.length) - 1
  return start + word.length
}

function endOfNumber(bytes: Uint8Array, start: number): number {
  let at = bytes[start] === 0x2d ? start + 1 : start
  const whole = endOfDigits(bytes, at)
  if (whole === at) return -at - 1
  at = bytes[at] === 0x30 ? at + 1 : whole
  if (bytes[at] === 0x2e) {
    const end = endOfDigits(bytes, at + 1)
    if (end === at + 1) return -end - 1
    at = end
  }
  if (bytes[at] === 0x65 || bytes[at] === 0x45) {
    const digits = bytes[at + 1] === 0x2b || bytes[at + 1] === 0x2d ? at + 2 : at + 1
    const end = endOfDigits(bytes, digits)
    if (end === digits) return -Math.min(end, bytes.length) - 1
    at = end
  }
  return at
}

function endOfDigits(bytes: Uint8Array, start: number): number {
  let at = start
  while (at < bytes.length && bytes[at]! >= 0x30 && bytes[at]! <= 0x39) at++
  return at
}

function skipSpace(bytes: Uint8Array, start: number): number {
  let at = start
  while (at < bytes.length && (bytes[at] === 0x20 || bytes[at] === 0x0a || bytes[at] === 0x0d || bytes[at] === 0x09)) at++
  return at
}

function isHex(byte: number): boolean {
  const lower = byte | 0x20
  return (byte >= 0x30 && byte <= 0x39) || (lower >= 0x61 && lower <= 0x66)
}

/** `" \ / b f n r t` */
const SHORT_ESCAPES: readonly number[] = [0x22, 0x5c, 0x2f, 0x62, 0x66, 0x6e, 0x72, 0x74]

/**
 * 128 bits of a fast hash over source and envelope id. It only ever marks an event (`id.reused`), never drops one, so
 * it need not withstand an attacker; a cryptographic hash would cost a tenth of the whole decode.
 */
type Lanes = readonly [number, number, number, number]

const SEED: Lanes = [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344]
/** State after a source, of the sources met last: one integration sends all its events with one. */
const SOURCES = new Map<string, Lanes>()
const MAX_SOURCES = 64

/** Equal for equal source and id. */
export function envelopeKeyOf(source: string, envelopeId: string): Uint8Array {
  let lanes = SOURCES.get(source)
  if (lanes === undefined) {
    lanes = absorb(SEED, source)
    if (SOURCES.size >= MAX_SOURCES) SOURCES.clear()
    if (source.length <= 1_000) SOURCES.set(source, lanes)
  }
  const [a, b, c, d] = absorb(lanes, envelopeId)
  const key = new Uint8Array(16)
  put(key, 0, mixed(a ^ b ^ envelopeId.length))
  put(key, 4, mixed(b + c))
  put(key, 8, mixed(c ^ d))
  put(key, 12, mixed(d + a))
  return key
}

function absorb(lanes: Lanes, text: string): Lanes {
  let [a, b, c, d] = lanes
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    a = Math.imul(a ^ code, 0x9e3779b1)
    b = Math.imul(b ^ code ^ (a >>> 15), 0x85ebca77)
    c = Math.imul(c + code + (b >>> 13), 0xc2b2ae3d)
    d = Math.imul(d ^ (c >>> 16) ^ code, 0x27d4eb2f)
  }
  return [a ^ (text.length << 8), b, c, d]
}

function mixed(word: number): number {
  let h = word
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

function put(key: Uint8Array, at: number, word: number): void {
  key[at] = word
  key[at + 1] = word >>> 8
  key[at + 2] = word >>> 16
  key[at + 3] = word >>> 24
}

/**
 * Base64 text (standard or URL-safe, line breaks allowed) round JSON or gzip. Text is taken for base64 only when what comes out
 * begins like one of these: a bare word or number is base64 too, by its letters.
 */
import { Buffer } from 'node:buffer'
import { isSpace } from '../json.ts'
import { isGzip } from './compression.ts'

/** The bytes inside, or null when the text is not base64 of JSON or gzip. */
export function readBase64(bytes: Uint8Array): Uint8Array | null {
  if (!looksEncoded(bytes)) return null
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
  if (!BASE64.test(text)) return null
  const inside = Buffer.from(text, 'base64')
  return beginsAsContent(inside) ? inside : null
}

const BASE64 = /^[A-Za-z0-9+/_\-\s]+={0,2}\s*$/

/** Looks at the beginning only, so that long text of another kind is turned away at once. */
function looksEncoded(bytes: Uint8Array): boolean {
  let start = 0
  while (start < bytes.length && isSpace(bytes[start])) start++
  const head = Buffer.from(bytes.subarray(start, start + 16)).toString('latin1')
  return head.length >= 4 && BASE64.test(head) && beginsAsContent(Buffer.from(head, 'base64'))
}

function beginsAsContent(bytes: Uint8Array): boolean {
  if (isGzip(bytes)) return true
  let at = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0
  while (at < bytes.length && isSpace(bytes[at])) at++
  return bytes[at] === 0x7b || bytes[at] === 0x5b
}

/** Gzip, known by its magic bytes. Never inflates past the cap it is given: a bomb costs at most that much memory. */
import { gunzipSync } from 'node:zlib'
import type { Unwrapped } from './unwrapped.ts'

/** Tells whether the bytes begin as gzip does. */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b
}

/** Inflates one gzip stream, to at most `maxBytes`. */
export function gunzip(bytes: Uint8Array, maxBytes: number): Unwrapped {
  try {
    return { ok: true, bytes: gunzipSync(bytes, { maxOutputLength: Math.max(1, maxBytes) }) }
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE') {
      return {
        ok: false,
        code: 'decode.too_large',
        message: `The gzip data inflates to more than the ${maxBytes} bytes allowed here. Send smaller batches, or raise the limit.`,
      }
    }
    return { ok: false, code: 'decode.gzip', message: 'The gzip data is damaged or cut off. Send it again, whole.' }
  }
}

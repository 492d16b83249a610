/**
 * Bytes on a pipe as frames: four bytes of length, then as many bytes. What can write to a pipe can write anything, so a reader has a
 * limit, keeps no more than one frame, and says when the limit is passed instead of throwing.
 */
const LENGTH_BYTES = 4

/** Two parts as one frame: a JSON text, and bytes as they are. */
export function frameOf(text: string, bytes: Uint8Array = new Uint8Array(0)): Buffer {
  const textBytes = Buffer.byteLength(text)
  const frame = Buffer.allocUnsafe(2 * LENGTH_BYTES + textBytes + bytes.length)
  frame.writeUInt32BE(frame.length - LENGTH_BYTES, 0)
  frame.writeUInt32BE(textBytes, LENGTH_BYTES)
  frame.write(text, 2 * LENGTH_BYTES)
  frame.set(bytes, 2 * LENGTH_BYTES + textBytes)
  return frame
}

/** The parts of a frame's content. Of one that is no such frame, some text and some bytes. */
export function partsOf(content: Buffer): { readonly text: string; readonly bytes: Buffer } {
  const end = content.length < LENGTH_BYTES ? 0 : LENGTH_BYTES + content.readUInt32BE(0)
  return { text: content.toString('utf8', LENGTH_BYTES, end), bytes: content.subarray(end) }
}

export class FrameReader {
  readonly #maxBytes: number
  readonly #length: Buffer = Buffer.alloc(LENGTH_BYTES)
  #lengthRead = 0
  /** The frame that is being read; null between two. */
  #content: Buffer | null = null
  #contentRead = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** The frames that end in this chunk; null when one says that it is too long, which is the end of what can be read. */
  push(chunk: Uint8Array): readonly Buffer[] | null {
    const frames: Buffer[] = []
    for (let at = 0; at < chunk.length;) {
      if (this.#content === null) {
        const part = chunk.subarray(at, at + LENGTH_BYTES - this.#lengthRead)
        this.#length.set(part, this.#lengthRead)
        this.#lengthRead += part.length
        at += part.length
        if (this.#lengthRead < LENGTH_BYTES) break
        const length = this.#length.readUInt32BE(0)
        if (length > this.#maxBytes) return null
        this.#content = Buffer.allocUnsafe(length)
        this.#contentRead = 0
      }
      const part = chunk.subarray(at, at + this.#content.length - this.#contentRead)
      this.#content.set(part, this.#contentRead)
      this.#contentRead += part.length
      at += part.length
      if (this.#contentRead < this.#content.length) break
      frames.push(this.#content)
      this.#content = null
      this.#lengthRead = 0
    }
    return frames
  }
}

/** Reads what arrived at the file sink and compares it with what was sent: nothing lost, doubled or altered. */
import { createReadStream, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { NumberedEvents } from './numbered-events.ts'

export type Verdict = {
  readonly lines: number
  readonly lost: number
  readonly doubled: number
  readonly altered: number
  readonly foreign: number
}

/** Checks the files of `dir` against events `from`..`from + count - 1`. */
export async function verify(dir: string, events: NumberedEvents, from: number, count: number): Promise<Verdict> {
  const seen = new Uint8Array(count)
  const expected = Buffer.alloc(events.bytes)
  let lines = 0
  let doubled = 0
  let altered = 0
  let foreign = 0
  const check = (line: Buffer): void => {
    lines++
    const number = events.numberOf(line)
    if (number < from || number >= from + count) {
      foreign++
      return
    }
    if (seen[number - from]! > 0) doubled++
    seen[number - from] = 1
    events.write(expected, 0, number)
    // The document is the event up to its last brace, then the trunkline key.
    const body = events.bytes - 1
    const whole = line[line.length - 1] === 125 && line.subarray(body, body + 14).toString('latin1') === ',"trunkline":{'
    if (!whole || Buffer.compare(line.subarray(0, body), expected.subarray(0, body)) !== 0) altered++
  }
  for (const name of readdirSync(dir).sort()) {
    let rest = Buffer.alloc(0)
    for await (const piece of createReadStream(join(dir, name), { highWaterMark: 4 * 1024 * 1024 })) {
      const chunk = rest.length === 0 ? (piece as Buffer) : Buffer.concat([rest, piece as Buffer])
      let at = 0
      for (let end = chunk.indexOf(10, at); end >= 0; end = chunk.indexOf(10, at)) {
        check(chunk.subarray(at, end))
        at = end + 1
      }
      rest = Buffer.from(chunk.subarray(at))
    }
    if (rest.length > 0) altered++
  }
  let lost = 0
  for (const mark of seen) if (mark === 0) lost++
  return { lines, lost, doubled, altered, foreign }
}

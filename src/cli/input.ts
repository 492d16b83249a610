/**
 * What `send` reads: files, folders and standard input, plain or gzip, cut into records whose bytes stay exactly as
 * they are. Lines are read as a stream of bounded memory; a document or array is read whole, up to a cap.
 */
import { createReadStream, readdirSync, statSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { TrunklineError } from '../errors.ts'
import { MAX_RECORDS_PER_BODY, splitBody } from '../event/split.ts'
import { usageError } from './failure.ts'
import type { Io } from './io.ts'

/** One record and where it stood: `index` counts the records of its source from 0. */
export type InputRecord = { readonly source: string; readonly index: number; readonly bytes: Uint8Array }

export type Source = {
  /** As the user wrote it, or the path inside a folder the user named. */
  readonly name: string
  /** Input may come slowly and not end for long: what there is must not wait for more. */
  readonly live?: true
  open(): AsyncIterable<Uint8Array>
}

/** An array or a document of several lines is read whole, up to this. */
const MAX_WHOLE_BYTES = 64 * 1024 * 1024
/** The first line decides whether a source is lines; one longer than this decides nothing. */
const MAX_FIRST_LINE_BYTES = 16 * 1024 * 1024
const FOLDER_ENTRY = /\.(?:json|jsonl|ndjson)(?:\.gz)?$/i

/** The sources that arguments name, each checked to be there before anything is sent. */
export function sourcesOf(io: Io, names: readonly string[]): Source[] {
  if (names.length > 0) return names.flatMap((name) => (name === '-' ? [standardInput(io)] : filesOf(io, name)))
  if (io.stdin.isTTY) throw usageError('Nothing to send.', 'Name files or folders, or pipe events in: trunkline send events/')
  return [standardInput(io)]
}

/** The records of a source, in groups as they become available. Rejects when the source cannot be read to its end. */
export async function* recordsOf(source: Source): AsyncGenerator<readonly InputRecord[]> {
  let index = 0
  const numbered = (records: readonly Uint8Array[]): InputRecord[] =>
    records.map((bytes) => ({ source: source.name, index: index++, bytes }))
  let carry: Uint8Array = new Uint8Array()
  let lines: boolean | null = /\.(?:jsonl|ndjson)(?:\.gz)?$/i.test(source.name) ? true : null
  for await (const chunk of readable(source)) {
    carry = carry.length === 0 ? chunk : Buffer.concat([carry, chunk])
    lines ??= beginsWithLine(carry)
    if (lines !== true) {
      if (carry.length > MAX_WHOLE_BYTES) throw tooLarge(source)
      continue
    }
    const end = carry.lastIndexOf(NEWLINE) + 1
    if (end > 0) yield numbered(splitBody(carry.subarray(0, end), 'ndjson'))
    carry = carry.subarray(end)
    if (carry.length > MAX_WHOLE_BYTES) throw tooLarge(source)
  }
  const rest = splitBody(carry, lines === true ? 'ndjson' : 'auto')
  if (rest.length > MAX_RECORDS_PER_BODY) throw tooLarge(source)
  yield numbered(rest)
}

/** True or false once the first line is complete: whether it is a JSON object of its own. Null while that is open. */
function beginsWithLine(head: Uint8Array): boolean | null {
  let start = 0
  while (start < head.length && isBlank(head[start])) start++
  const end = head.indexOf(NEWLINE, start)
  if (start === head.length || (end < 0 && head.length < MAX_FIRST_LINE_BYTES)) return null
  if (head[start] !== OBJECT_OPEN || end < 0) return false
  return isJson(head.subarray(start, end))
}

/** Whether the bytes are one whole JSON value. */
export function isJson(bytes: Uint8Array): boolean {
  try {
    JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString())
    return true
  } catch {
    return false
  }
}

async function* readable(source: Source): AsyncGenerator<Uint8Array> {
  const chunks = source.open()[Symbol.asyncIterator]()
  try {
    // The magic bytes may come one by one.
    let head: Uint8Array = new Uint8Array()
    let next = await chunks.next()
    while (next.done !== true && head.length + next.value.length < 2) {
      head = Buffer.concat([head, next.value])
      next = await chunks.next()
    }
    const first = next.done === true ? head : Buffer.concat([head, next.value])
    const all = withHead(first, chunks)
    yield* isGzip(first) ? inflated(all) : all
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new TrunklineError(
      'send.unreadable',
      `${source.name} cannot be read to its end (${why}).`,
      'Check the file; a cut or damaged gzip file has to be made again. Records before the fault were sent.',
      { cause: error },
    )
  } finally {
    await chunks.return?.()
  }
}

function inflated(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const gunzip = createGunzip()
  // Whoever reads `gunzip` gets the error too; here it would only be unhandled.
  pipeline(Readable.from(chunks), gunzip).catch(() => undefined)
  return gunzip as AsyncIterable<Uint8Array>
}

async function* withHead(head: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  if (head.length > 0) yield head
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value
}

function filesOf(io: Io, name: string): Source[] {
  const path = resolve(io.cwd, name)
  let found
  try {
    found = statSync(path)
  } catch {
    throw usageError(`${name} does not exist or cannot be read.`, 'Check the path; `-` stands for standard input.')
  }
  if (!found.isDirectory()) return [fileOf(name, path)]
  const entries = readdirSync(path)
    .filter((entry) => FOLDER_ENTRY.test(entry))
    .toSorted()
  if (entries.length === 0)
    throw usageError(`${name} holds no event files.`, 'Event files end in .json, .ndjson or .jsonl, each also with .gz.')
  return entries.map((entry) => fileOf(join(name, entry), join(path, entry)))
}

function fileOf(name: string, path: string): Source {
  return { name, open: () => createReadStream(path, { highWaterMark: 256 * 1024 }) as AsyncIterable<Uint8Array> }
}

function standardInput(io: Io): Source {
  return { name: '-', live: true, open: () => io.stdin }
}

function tooLarge(source: Source): TrunklineError {
  const hint = 'Make lines of it: jq -c ".[]" FILE | trunkline send -'
  return new TrunklineError(
    'send.too_large',
    `${basename(source.name)} has a document, array or line above ${MAX_WHOLE_BYTES / 1024 ** 2} MiB or ${MAX_RECORDS_PER_BODY} records, more than is read at once.`,
    hint,
  )
}

function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d
}

const NEWLINE = 0x0a
const OBJECT_OPEN = 0x7b

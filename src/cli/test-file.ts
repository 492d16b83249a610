/**
 * The files of `trunkline test`: events, and what is expected of each. A file that is wrong says so with every place and the fix; an
 * event without an expectation is wrong too, as a test that cannot fail.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { nearestName } from '../config/nearest.ts'
import { TrunklineError } from '../errors.ts'
import { jsonErrorAt } from '../event/json-error.ts'
import type { Context, Problem } from './context.ts'
import { usageError } from './failure.ts'
import { recordsOf, sourcesOf } from './input.ts'
import { readExpectations, type Expectations, type Report, type Vocabulary } from './expectation.ts'

/** `from` is its file, relative to the folder of the configuration; null for an event that stands in the test. */
export type TestRecord = { readonly from: string | null; readonly bytes: Uint8Array }

export type Entry = {
  readonly records: readonly TestRecord[]
  readonly expect: Expectations | null
}

export type TestNames = Readonly<Record<'queues' | 'divisions', readonly { readonly name: string; readonly id: string }[]>>

export type TestFile = {
  /** As the user may open it. */
  readonly file: string
  readonly name: string | null
  /** What names in the configuration mean, by kind. */
  readonly names: TestNames
  readonly entries: readonly Entry[]
  readonly expect: Expectations | null
}

const SUFFIX = '.test.json'
const MAX_FILE_BYTES = 16 * 1024 * 1024
/** Records of one test. */
export const MAX_RECORDS = 10_000

/** Paths of the test files that arguments name, or of those in `tests` beside the configuration. */
export function testFilesOf(context: Context, names: readonly string[], base: string): readonly string[] {
  const { cwd } = context.io
  const asked = names.length > 0 ? names.map((name) => resolve(cwd, name)) : [join(base, 'tests')]
  return [...new Set(asked.flatMap((path) => filesAt(path, relative(cwd, path) || '.')))]
}

function filesAt(path: string, shown: string): readonly string[] {
  const hint = `Test files end in ${SUFFIX}; trunkline init writes a first one.`
  let names: readonly string[]
  try {
    if (!statSync(path).isDirectory()) return [path]
    names = readdirSync(path)
  } catch {
    throw usageError(`${shown} does not exist or cannot be read.`, hint)
  }
  const found = names.filter((name) => name.endsWith(SUFFIX)).toSorted()
  if (found.length === 0) throw usageError(`${shown} holds no tests.`, hint)
  return found.map((name) => join(path, name))
}

/** Reads one test. Paths in it are relative to `base`, the folder of the configuration. Null when problems were added. */
export async function readTestFile(
  context: Context,
  path: string,
  base: string,
  vocabulary: Vocabulary,
  problems: Problem[],
): Promise<TestFile | null> {
  const file = relative(context.io.cwd, path)
  const before = problems.length
  const report = (place: string, what: string, hint: string, code = 'test.bad_file'): null => {
    problems.push({ code, message: `${file}${place === '' ? '' : `: ${place}`} ${what}`, hint })
    return null
  }
  const test = readJson(path, report)
  if (problems.length > before) return null
  if (!isRecord(test)) return report('', 'is no object', SHAPE)
  for (const key of Object.keys(test))
    if (!KEYS.includes(key)) report(key, 'is no known key', `Did you mean "${nearestName(key, KEYS)?.name ?? ''}"? ${SHAPE}`)
  const { name = null, names = {}, events, expect } = test
  if (name !== null && typeof name !== 'string') report('name', 'is no text', 'Say in a few words what the test shows.')
  if (!Array.isArray(events) || events.length === 0) report('events', 'lists no events', SHAPE)
  const read = (value: unknown, place: string): Expectations | null =>
    value === undefined ? null : readExpectations(value, place, vocabulary, report)
  const ofTest = read(expect, 'expect')
  const named = readNames(names, report)
  const entries: Entry[] = []
  let records = 0
  for (const [index, value] of (Array.isArray(events) ? (events as readonly unknown[]) : []).entries()) {
    const place = `events[${index}]`
    if (!isRecord(value)) {
      report(place, 'is no object', 'Write the event itself, { "file": PATH } or { "event": {...}, "expect": {...} }.')
      continue
    }
    const { from, event, expect: own } = entryOf(value)
    const found =
      from === null ? [{ from, bytes: Buffer.from(JSON.stringify(event)) }] : await recordsIn(context, base, from, place, report)
    records += found.length
    if (records > MAX_RECORDS) {
      report(place, `is beyond the ${MAX_RECORDS} records that a test may have`, 'Make several tests of it.')
      break
    }
    entries.push({ records: found, expect: read(own, `${place}.expect`) })
  }
  return problems.length > before ? null : { file, name: name as string | null, names: named, entries, expect: ofTest }
}

const KEYS: readonly string[] = ['name', 'names', 'events', 'expect']
const SHAPE = 'A test is { "events": [...], "expect": { ROUTE: OUTCOME } }; see docs/how-to/test-a-configuration.md.'

const NAME_KINDS = ['queues', 'divisions'] as const
const NAMES_SHAPE = 'Write { "queues": { "Sales": "ID" }, "divisions": { ... } }; a list where several things have the name.'

function readNames(value: unknown, report: Report): TestNames {
  const found = { queues: [] as { name: string; id: string }[], divisions: [] as { name: string; id: string }[] }
  if (!isRecord(value)) {
    report('names', 'is no object', NAMES_SHAPE)
    return found
  }
  for (const [kind, byName] of Object.entries(value)) {
    const known = NAME_KINDS.find((one) => one === kind)
    if (known === undefined) report(`names.${kind}`, 'is no known key', NAMES_SHAPE)
    else if (!isRecord(byName)) report(`names.${kind}`, 'is no object', NAMES_SHAPE)
    else
      for (const [name, given] of Object.entries(byName)) {
        const ids: readonly unknown[] = Array.isArray(given) ? given : [given]
        for (const id of ids) {
          if (typeof id === 'string' && id !== '') found[known].push({ name, id })
          else report(`names.${kind}[${JSON.stringify(name)}]`, 'is no id', NAMES_SHAPE)
        }
      }
  }
  return found
}

function readJson(path: string, report: Report): unknown {
  let bytes: Buffer
  try {
    const stat = statSync(path)
    // Reading a pipe would wait for whoever writes into it.
    if (!stat.isFile()) return report('', 'is no file', 'Give a file with a test in it.', 'test.unreadable')
    if (stat.size > MAX_FILE_BYTES) return report('', 'has more than 16 MiB', 'Put events into files of their own: { "file": PATH }.')
    bytes = readFileSync(path)
  } catch (error) {
    return report('', `cannot be read (${codeOf(error)})`, 'Check the path and its permissions.', 'test.unreadable')
  }
  try {
    return JSON.parse(bytes.toString()) as unknown
  } catch {
    const at = Math.max(0, jsonErrorAt(bytes))
    const lines = bytes.subarray(0, at).toString().split('\n')
    const where = `line ${lines.length}, column ${(lines.at(-1) ?? '').length + 1}`
    return report('', `is no JSON: it stops making sense at ${where}`, 'Correct it there.')
  }
}

/** An entry that is neither a file nor an event with its expectation is the event itself. */
function entryOf(value: Readonly<Record<string, unknown>>): { from: string | null; event: unknown; expect: unknown } {
  const { file, event, expect, ...others } = value
  const wrapped = Object.keys(others).length === 0
  if (wrapped && typeof file === 'string' && event === undefined) return { from: file, event: null, expect }
  if (wrapped && isRecord(event) && file === undefined) return { from: null, event, expect }
  return { from: null, event: value, expect: undefined }
}

async function recordsIn(context: Context, base: string, file: string, place: string, report: Report): Promise<readonly TestRecord[]> {
  const found: TestRecord[] = []
  try {
    for (const source of sourcesOf(context.io, [resolve(base, file)]))
      for await (const group of recordsOf(source)) {
        for (const { bytes } of group.slice(0, MAX_RECORDS + 1 - found.length)) found.push({ from: relative(base, source.name), bytes })
        if (found.length > MAX_RECORDS) return found
      }
  } catch (error) {
    if (!(error instanceof TrunklineError)) throw error
    report(place, `names ${file}, which cannot be read`, 'Paths are relative to the folder of the configuration.', 'test.unreadable')
    return found
  }
  if (found.length === 0) report(place, `names ${file}, which holds no events`, 'Put one event into it, or lines of them.')
  return found
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}

/**
 * One merge of neighbouring runs into one, done in small steps with 64 KB of buffer per input. Entries below the
 * retention bound vanish; everything else is kept (equal prefixes are not equal keys), newest first among equals.
 */
import { ENTRY_WORDS, PAGE_BYTES, type RunSpan } from './run-format.ts'
import { pageBuffer, readPages, type OpenFiles, type PageBuffer, type Run } from './run.ts'
import { RunWriter } from './run-writer.ts'

const BUFFER_PAGES = 16
/** Entries per step: about a tenth of a millisecond. */
const STEP_ENTRIES = 1024
const TWO_32 = 2 ** 32

type Cursor = { readonly run: Run; readonly buffer: PageBuffer; page: number; at: number; end: number }

export class Merge {
  readonly level: number
  readonly inputs: readonly Run[]
  readonly #files: OpenFiles
  readonly #writer: RunWriter
  readonly #cursors: Cursor[]
  /** First 53 bits of each input's next prefix, Infinity at its end: one comparison decides nearly always. */
  readonly #heads: Float64Array
  #phase: 'entries' | 'tail' | 'finish' = 'entries'

  constructor(dir: string, inputs: readonly Run[], files: OpenFiles) {
    this.inputs = inputs
    this.level = inputs[0]?.header.level ?? 0
    this.#files = files
    const total = inputs.reduce((sum, run) => sum + run.header.entries, 0)
    this.#writer = new RunWriter(dir, spanOf(inputs), total)
    this.#cursors = inputs.map((run) => ({ run, buffer: pageBuffer(BUFFER_PAGES), page: 0, at: 0, end: 0 }))
    this.#heads = new Float64Array(inputs.length)
    this.#heads.fill(-1)
  }

  /** Bytes of memory the merge holds. */
  get bytes(): number {
    return this.#writer.bytes + this.#cursors.length * BUFFER_PAGES * PAGE_BYTES
  }

  /** Does a little; the merged run when that was the last step, else null. */
  step(boundSeq: number): Run | null {
    if (this.#phase === 'finish') return this.#writer.finish(boundSeq)
    if (this.#phase === 'tail') {
      if (!this.#writer.writeTailSome()) this.#phase = 'finish'
    } else if (!this.#mergeEntries(boundSeq)) this.#phase = 'tail'
    return null
  }

  abort(): void {
    this.#writer.abort()
  }

  #mergeEntries(boundSeq: number): boolean {
    const heads = this.#heads
    const cursors = this.#cursors
    for (let i = 0; i < heads.length; i++) if ((heads[i] as number) < 0) this.#load(i)
    for (let n = 0; n < STEP_ENTRIES; n++) {
      let best = 0
      let bestHead = heads[0] as number
      for (let i = 1; i < heads.length; i++) {
        const head = heads[i] as number
        if (head < bestHead || (head === bestHead && head !== Infinity && this.#goesFirst(i, best))) {
          best = i
          bestHead = head
        }
      }
      if (bestHead === Infinity) return false
      const cursor = cursors[best] as Cursor
      const words = cursor.buffer.words
      const at = cursor.at
      if ((words[at + 3] as number) * TWO_32 + (words[at + 2] as number) >= boundSeq) this.#writer.append(words, at)
      cursor.at = at + ENTRY_WORDS
      this.#load(best)
    }
    return true
  }

  /** Sets the head of input `i` from its buffer, refilling that first when it is used up. */
  #load(i: number): void {
    const cursor = this.#cursors[i] as Cursor
    if (cursor.at === cursor.end && !this.#refill(cursor)) {
      this.#heads[i] = Infinity
      return
    }
    const words = cursor.buffer.words
    this.#heads[i] = (words[cursor.at] as number) * 2 ** 21 + ((words[cursor.at + 1] as number) >>> 11)
  }

  #refill(cursor: Cursor): boolean {
    const { pages, entries } = cursor.run.header
    const count = Math.min(BUFFER_PAGES, pages - cursor.page)
    if (count <= 0) return false
    readPages(this.#files, cursor.run, cursor.page, count, cursor.buffer)
    const left = entries * ENTRY_WORDS - cursor.page * (PAGE_BYTES / 4)
    cursor.at = 0
    cursor.end = Math.min(left, count * (PAGE_BYTES / 4))
    cursor.page += count
    return true
  }

  /** For heads that look equal: by the rest of the prefix, then the newer sequence first. */
  #goesFirst(a: number, b: number): boolean {
    const x = this.#cursors[a] as Cursor
    const y = this.#cursors[b] as Cursor
    const xWords = x.buffer.words
    const yWords = y.buffer.words
    const byPrefix = (xWords[x.at + 1] as number) - (yWords[y.at + 1] as number)
    if (byPrefix !== 0) return byPrefix < 0
    const byHigh = (xWords[x.at + 3] as number) - (yWords[y.at + 3] as number)
    if (byHigh !== 0) return byHigh > 0
    return (xWords[x.at + 2] as number) > (yWords[y.at + 2] as number)
  }
}

function spanOf(inputs: readonly Run[]): RunSpan {
  const oldest = inputs[0]?.header
  const newest = inputs[inputs.length - 1]?.header
  if (oldest === undefined || newest === undefined) throw new RangeError('a merge needs runs')
  return {
    level: oldest.level + 1,
    firstSeal: oldest.firstSeal,
    lastSeal: newest.lastSeal,
    fromSeq: oldest.fromSeq,
    coveredSeq: newest.coveredSeq,
  }
}

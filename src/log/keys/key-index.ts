/**
 * The index of known identity keys: "was this 16-byte key seen, and at which sequence number?", exact, in bounded
 * memory. One writer thread uses it, synchronously.
 *
 * It is derived from the log and never trusted blindly: a sealed run is used only while its checksums hold, and every
 * answer from a run is confirmed by `verify` against the log record itself. It syncs nothing: what a crash takes, the
 * owner adds again from `coveredThroughSeq`.
 *
 *     add ─▶ memory table ──seal──▶ run ┐
 *                                   run ├─ mergeSome ─▶ run (next level, 8 into 1)
 *                                   ... ┘
 *     find: memory table, then runs newest first: filter ▸ fence ▸ one page ▸ verify
 */
import { mkdirSync } from 'node:fs'
import { step } from '../../diagnostics/step.ts'
import { Compaction } from './compaction.ts'
import { lastMaybe } from './filter.ts'
import { KeyIndexError } from './key-index-error.ts'
import { loadRuns } from './load-runs.ts'
import { MAX_MEMORY_KEYS, MemoryTable } from './memory-table.ts'
import type { RunSpan } from './run-format.ts'
import {
  DamagedRun,
  firstPageFor,
  OpenFiles,
  pageBuffer,
  pageEntryWords,
  readPages,
  runMemoryBytes,
  type PageBuffer,
  type Run,
} from './run.ts'
import { RunWriter } from './run-writer.ts'

export type KeyIndexOptions = {
  /** Directory of its own; created when absent. */
  readonly dir: string
  /**
   * True when the log record `seq` really carries this key (identity or envelope key): makes answers exact.
   * False for a record the log does not have. It must not call back into the index.
   */
  verify(seq: number, key: Uint8Array): boolean
  /** Keys kept in memory before they are sealed into a run. Default 131_072, at most 1_048_576. */
  readonly memoryKeys?: number
  /**
   * The bound last given to `dropBefore`, or anything later (such as the log's first record). Default 0: then, once
   * old runs were dropped, an open cannot tell a dropped run from a lost one and starts empty.
   */
  readonly startSeq?: number
  /**
   * The sequence number the log gives next. A run that knows records at or past it (a power cut took them from the
   * log's end) is dropped; without this, events whose sequence numbers are given out again would be missed.
   */
  readonly endSeq: number
  /** Read and check every page now (for the first start after an unclean end) instead of when first used. Default false. */
  readonly checkPages?: boolean
}

export type KeyIndexStats = {
  /** Entries in memory and runs; a key that was added again counts again until a merge or its end. */
  readonly keys: number
  readonly memoryKeys: number
  readonly runs: number
  readonly openFiles: number
  readonly memoryBytes: number
  readonly filterProbes: number
  /** Filters that said "maybe" for a prefix their run does not hold. */
  readonly falsePositives: number
  readonly pageReads: number
  /** Entries with the prefix asked for whose record carries another key. */
  readonly collisions: number
  readonly seals: number
  readonly merges: number
  readonly writeFailures: number
  /** Runs lost to damage, and sound ones lost with them, since (and at) open. */
  readonly damagedRuns: number
  readonly droppedRuns: number
}

const DEFAULT_MEMORY_KEYS = 131_072
const MAX_OPEN_FILES = 64
const KEY_BYTES = 16
const TWO_32 = 2 ** 32

export class KeyIndex {
  readonly #dir: string
  readonly #verify: (seq: number, key: Uint8Array) => boolean
  readonly #memoryKeys: number
  readonly #table: MemoryTable
  readonly #files = new OpenFiles(MAX_OPEN_FILES)
  readonly #compaction: Compaction
  readonly #page: PageBuffer = pageBuffer(1)
  /** Oldest first, levels falling. */
  readonly #runs: Run[]
  #nextSeal = 0
  #boundSeq: number
  #coveredSeq: number
  /** First record whose keys all go to the next run. */
  #fromSeq: number
  #lastSeq: number
  /** Count at which `add` seals; moves up after a failed write so that not every add tries again. */
  #sealAt: number
  #counts = { filterProbes: 0, falsePositives: 0, pageReads: 0, collisions: 0, seals: 0, writeFailures: 0, damagedRuns: 0, droppedRuns: 0 }

  private constructor(options: KeyIndexOptions) {
    this.#dir = options.dir
    this.#verify = (seq, key) => options.verify(seq, key)
    this.#memoryKeys = Math.min(MAX_MEMORY_KEYS, Math.max(1, options.memoryKeys ?? DEFAULT_MEMORY_KEYS))
    this.#sealAt = this.#memoryKeys
    this.#table = new MemoryTable(this.#memoryKeys)
    this.#boundSeq = options.startSeq ?? 0
    const { runs, damaged, dropped } = loadRuns(options.dir, { startSeq: this.#boundSeq, endSeq: options.endSeq })
    this.#runs = runs
    this.#counts.damagedRuns = damaged
    this.#counts.droppedRuns = dropped
    this.#compaction = new Compaction(options.dir, this.#files)
    this.#nextSeal = this.#afterLastSeal()
    this.#coveredSeq = this.#coveredByRuns()
    this.#fromSeq = this.coveredThroughSeq
    this.#lastSeq = this.#coveredSeq
    if (options.checkPages === true) this.#checkPages()
    this.dropBefore(this.#boundSeq)
  }

  /** Loads the runs (headers, filters, fences); drops what is damaged and everything newer than a gap. */
  static open(options: KeyIndexOptions): KeyIndex {
    mkdirSync(options.dir, { recursive: true, mode: 0o700 })
    return new KeyIndex(options)
  }

  /** Keys of records before this one are in sealed runs; after `open`, and after `keys.damaged`, the owner adds those from here on. */
  get coveredThroughSeq(): number {
    return Math.max(this.#coveredSeq, this.#boundSeq)
  }

  /** Sequence number of the newest record added with this key, or -1. Throws `keys.damaged`. */
  find(key: Uint8Array): number {
    checkKey(key)
    const hi = wordAt(key, 0)
    const lo = wordAt(key, 4)
    const known = this.#table.find(hi, lo, wordAt(key, 8), wordAt(key, 12))
    if (known >= 0) return known < this.#boundSeq ? -1 : known
    const runs = this.#runs
    let from = runs.length - 1
    while (from >= 0) {
      const at = lastMaybe(runs, from, hi, lo)
      this.#counts.filterProbes += from - Math.max(at, 0) + 1
      if (at < 0) break
      const seq = this.#findInRun(runs[at] as Run, hi, lo, key)
      if (seq >= 0) return seq
      from = at - 1
    }
    return -1
  }

  /**
   * Adds a key of a record that the log has taken; sequence numbers never fall (two keys may share one). Should the log
   * lose the record after all (a failed write), close the index and open it again with the `endSeq` that is true. Seals when the table is full; when that cannot be
   * written, the table takes half as many keys again before this throws `keys.full` (and has added nothing).
   */
  add(key: Uint8Array, seq: number): void {
    checkKey(key)
    if (seq < this.#lastSeq) throw misuse(`sequence ${seq} was added after ${this.#lastSeq}`)
    if (this.#table.count >= this.#sealAt) this.#sealOrStretch(seq)
    this.#table.put(wordAt(key, 0), wordAt(key, 4), wordAt(key, 8), wordAt(key, 12), seq)
    this.#lastSeq = seq
  }

  /** Writes the memory table out as a run. Throws `keys.write-failed` and keeps the keys when it cannot. */
  seal(): void {
    // The owner may still add another key of the last record: that one record is added again after a crash.
    this.#sealThrough(this.#lastSeq)
  }

  /** Merges and tidies for about `budgetMs`; true when more work is left. Throws `keys.damaged`. */
  mergeSome(budgetMs: number, nowMs: () => number): boolean {
    const endAtMs = nowMs() + budgetMs
    try {
      while (this.#compaction.hasWork(this.#runs)) {
        this.#compaction.step(this.#runs, this.#boundSeq)
        if (nowMs() >= endAtMs) return this.#compaction.hasWork(this.#runs)
      }
      return false
    } catch (cause) {
      throw this.#damageOf(cause)
    }
  }

  /** Retention: no answer is below `seq` from now on. To be called when the records are gone or no longer wanted. */
  dropBefore(seq: number): void {
    this.#boundSeq = Math.max(this.#boundSeq, seq)
    for (let oldest = this.#runs[0]; oldest !== undefined && isBelow(oldest, this.#boundSeq); oldest = this.#runs[0]) {
      this.#compaction.abortMergesOf(oldest)
      this.#compaction.discard(oldest)
      this.#runs.shift()
    }
  }

  stats(): KeyIndexStats {
    const runs = this.#runs
    return {
      ...this.#counts,
      keys: runs.reduce((sum, run) => sum + run.header.entries, this.#table.count),
      memoryKeys: this.#table.count,
      runs: runs.length,
      openFiles: this.#files.count,
      memoryBytes: runs.reduce((sum, run) => sum + runMemoryBytes(run), this.#table.bytes + this.#compaction.bytes),
      merges: this.#compaction.finished,
      writeFailures: this.#counts.writeFailures + this.#compaction.writeFailures,
    }
  }

  /** Seals and lets go of all files. A seal that fails here loses nothing: the next open has those keys added again. */
  close(): void {
    try {
      this.seal()
    } catch (cause) {
      if (!(cause instanceof KeyIndexError)) throw cause
    } finally {
      this.#compaction.abortAll()
      this.#files.closeAll()
      this.#compaction.emptyTrash()
    }
  }

  #findInRun(run: Run, hi: number, lo: number, key: Uint8Array): number {
    const words = this.#page.words
    const first = hi >>> 0
    const second = lo >>> 0
    const start = firstPageFor(run, first)
    let held = false
    try {
      for (let page = start; page < run.header.pages && (page === start || run.fences[page] === first); page++) {
        readPages(this.#files, run, page, 1, this.#page)
        this.#counts.pageReads++
        const end = pageEntryWords(run, page)
        for (let at = lowerBound(words, end, first); at < end && words[at] === first; at += 4) {
          if (words[at + 1] !== second) continue
          held = true
          const seq = (words[at + 3] as number) * TWO_32 + (words[at + 2] as number)
          if (seq < this.#boundSeq) continue
          if (this.#verify(seq, key)) return seq
          this.#counts.collisions++
        }
      }
    } catch (cause) {
      throw this.#damageOf(cause)
    }
    if (!held) this.#counts.falsePositives++
    return -1
  }

  /** Before the add of `seq`: every key of lower sequence numbers has been added, so the run covers up to it. */
  #sealOrStretch(seq: number): void {
    try {
      this.#sealThrough(seq)
    } catch (cause) {
      if (this.#table.count >= this.#table.maxEntries) {
        throw new KeyIndexError(
          'keys.full',
          'the key index has no room and cannot write',
          'free space on the disk of the data directory',
          cause,
        )
      }
      this.#sealAt = Math.min(this.#table.maxEntries, this.#table.count + Math.ceil(this.#memoryKeys / 16))
    }
  }

  #sealThrough(coveredSeq: number): void {
    const table = this.#table
    if (table.count === 0) return
    try {
      this.#runs.push(this.#write(coveredSeq, table.sortedEntries()))
    } catch (cause) {
      this.#counts.writeFailures++
      throw new KeyIndexError(
        'keys.write-failed',
        'a run of the key index could not be written',
        'free space on the disk of the data directory',
        cause,
      )
    }
    table.clear()
    this.#coveredSeq = coveredSeq
    this.#fromSeq = Math.max(coveredSeq, this.#lastSeq + 1)
    this.#sealAt = this.#memoryKeys
    this.#counts.seals++
    this.#compaction.resume()
  }

  #write(coveredSeq: number, entries: Uint32Array): Run {
    const span: RunSpan = { level: 0, firstSeal: this.#nextSeal, lastSeal: this.#nextSeal, fromSeq: this.#fromSeq, coveredSeq }
    const writer = new RunWriter(this.#dir, span, entries.length / 4)
    try {
      for (let at = 0; at < entries.length; at += 4) writer.append(entries, at)
      while (writer.writeTailSome());
      const run = writer.finish(0)
      this.#nextSeal++
      step('keys.sealed')
      return run
    } catch (cause) {
      writer.abort()
      throw cause
    }
  }

  #checkPages(): void {
    for (const run of this.#runs) {
      try {
        for (let page = 0; page < run.header.pages; page++) readPages(this.#files, run, page, 1, this.#page)
      } catch (cause) {
        if (!(cause instanceof DamagedRun)) throw cause
        this.#damageOf(cause)
        return
      }
    }
  }

  /** After damage: forgets the run, everything newer and the table, so that the state is that of a fresh open. */
  #damageOf(cause: unknown): unknown {
    if (!(cause instanceof DamagedRun)) return cause
    this.#compaction.abortAll()
    this.#files.closeAll()
    const lost = this.#runs.splice(this.#runs.indexOf(cause.run))
    for (const run of lost.toReversed()) this.#compaction.discard(run)
    // At once: their seal numbers are given out again.
    this.#compaction.emptyTrash()
    this.#table.clear()
    this.#nextSeal = this.#afterLastSeal()
    this.#coveredSeq = this.#coveredByRuns()
    this.#fromSeq = this.coveredThroughSeq
    this.#lastSeq = this.#coveredSeq
    this.#sealAt = this.#memoryKeys
    this.#counts.damagedRuns++
    this.#counts.droppedRuns += lost.length - 1
    return new KeyIndexError('keys.damaged', cause.message, `add the keys of the log again from record ${this.coveredThroughSeq} on`, cause)
  }

  #afterLastSeal(): number {
    return (this.#runs[this.#runs.length - 1]?.header.lastSeal ?? -1) + 1
  }

  #coveredByRuns(): number {
    return this.#runs[this.#runs.length - 1]?.header.coveredSeq ?? this.#boundSeq
  }
}

/** Nothing in the run is wanted any more, and the next run answers for all that is. */
function isBelow(run: Run, boundSeq: number): boolean {
  return run.header.maxSeq < boundSeq && run.header.coveredSeq <= boundSeq
}

function checkKey(key: Uint8Array): void {
  if (key.length !== KEY_BYTES) throw misuse(`a key has ${KEY_BYTES} bytes, not ${key.length}`)
}

function misuse(message: string): KeyIndexError {
  return new KeyIndexError('keys.misuse', message, 'this is a defect of the caller: please report it')
}

/** Four bytes as a signed word, first byte highest: taken as unsigned, word order is byte order. */
function wordAt(key: Uint8Array, at: number): number {
  return ((key[at] as number) << 24) | ((key[at + 1] as number) << 16) | ((key[at + 2] as number) << 8) | (key[at + 3] as number)
}

/** Position of the first entry whose first word is not below `hi`. */
function lowerBound(words: Uint32Array, end: number, hi: number): number {
  let low = 0
  let high = end >>> 2
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((words[middle << 2] as number) < hi) low = middle + 1
    else high = middle
  }
  return low << 2
}

/**
 * Which runs are merged, and the merging in small steps: eight neighbours of one level become one of the next.
 * At most one merge per level is under way, the lowest first, so that a long merge of big runs does not let small
 * ones pile up. A merged run exists from its rename on; what it replaces is deleted afterwards, one file a step, and
 * by the next open if that does not come to pass.
 */
import { rmSync } from 'node:fs'
import { step } from '../../diagnostics/step.ts'
import { Merge } from './merge.ts'
import type { OpenFiles, Run } from './run.ts'

const FAN_OUT = 8

export class Compaction {
  readonly #dir: string
  readonly #files: OpenFiles
  /** Highest level first: the last one is worked on. */
  readonly #merges: Merge[] = []
  /** Files that no answer needs any more. */
  readonly #trash: string[] = []
  #writeFailures = 0
  #finished = 0
  #paused = false

  constructor(dir: string, files: OpenFiles) {
    this.#dir = dir
    this.#files = files
  }

  /** Bytes of memory held by merges under way. */
  get bytes(): number {
    return this.#merges.reduce((sum, merge) => sum + merge.bytes, 0)
  }

  get finished(): number {
    return this.#finished
  }

  get writeFailures(): number {
    return this.#writeFailures
  }

  /** Lets merging try again after a write failure. */
  resume(): void {
    this.#paused = false
  }

  /** Whether `step` has anything to do. */
  hasWork(runs: readonly Run[]): boolean {
    return this.#trash.length > 0 || (!this.#paused && (this.#merges.length > 0 || this.#nextInputs(runs) !== null))
  }

  /** Does a little work; a finished merge replaces its inputs in `runs`. */
  step(runs: Run[], boundSeq: number): void {
    const path = this.#trash.shift()
    if (path !== undefined) {
      rmSync(path, { force: true })
      return
    }
    if (this.#paused) return
    try {
      const inputs = this.#nextInputs(runs)
      if (inputs !== null) this.#merges.push(new Merge(this.#dir, inputs, this.#files))
      const merge = this.#merges[this.#merges.length - 1]
      const merged = merge?.step(boundSeq) ?? null
      if (merge === undefined || merged === null) return
      this.#merges.pop()
      runs.splice(runs.indexOf(merge.inputs[0] as Run), merge.inputs.length, merged)
      this.#finished++
      step('keys.merged')
      for (const run of merge.inputs) this.discard(run)
    } catch (cause) {
      if (!isWriteFailure(cause)) throw cause
      // Merging only tidies: it waits for the next successful seal, and the runs stay as they are.
      this.#writeFailures++
      this.#paused = true
      this.abortAll()
    }
  }

  /** Takes the run out of use; its file goes at a later step. */
  discard(run: Run): void {
    this.#files.close(run.path)
    this.#trash.push(run.path)
  }

  /** Gives up merges that read the run. */
  abortMergesOf(run: Run): void {
    for (let i = this.#merges.length - 1; i >= 0; i--) {
      if (this.#merges[i]?.inputs.includes(run)) this.#merges.splice(i, 1)[0]?.abort()
    }
  }

  abortAll(): void {
    for (const merge of this.#merges.splice(0)) merge.abort()
  }

  /** Deletes every file out of use, now. */
  emptyTrash(): void {
    for (const path of this.#trash.splice(0)) rmSync(path, { force: true })
  }

  /** The oldest eight runs of the lowest level that has so many, if nothing at or below that level is being merged. */
  #nextInputs(runs: readonly Run[]): Run[] | null {
    const lowestActive = this.#merges[this.#merges.length - 1]?.level ?? Infinity
    let to = runs.length
    while (to > 0) {
      const level = runs[to - 1]?.header.level ?? 0
      let from = to
      while (from > 0 && runs[from - 1]?.header.level === level) from--
      if (level >= lowestActive) return null
      if (to - from >= FAN_OUT) return runs.slice(from, from + FAN_OUT)
      to = from
    }
    return null
  }
}

function isWriteFailure(cause: unknown): boolean {
  return cause instanceof Error && 'syscall' in cause
}

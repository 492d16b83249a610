/**
 * What an index directory holds after any crash or damage: the longest sound chain of runs, oldest first. Everything
 * else is deleted (half-written files, runs replaced by a merged one, damaged runs and all that is newer than a gap),
 * because a seal number is used again and a stale file must never stand beside the new one.
 *
 * A run that knows a record the log does not have (a power cut took the log's end) goes too: when it was sealed, the
 * lost record may have stood in the place of an older one with the same key.
 */
import { closeSync, fsyncSync, openSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { isRunFileName } from './run-format.ts'
import { loadRun, type Run } from './run.ts'

export type LoadedRuns = {
  /** A chain without gaps: each run begins where the one before left off, the first at or before `startSeq`. */
  readonly runs: Run[]
  /** Files that failed a check. */
  readonly damaged: number
  /** Sound runs that had to go: newer than a gap, or reaching past the log's end. */
  readonly dropped: number
}

export function loadRuns(dir: string, range: { readonly startSeq: number; readonly endSeq: number }): LoadedRuns {
  const found: Run[] = []
  let damaged = 0
  for (const name of readdirSync(dir)) {
    if (name.endsWith('.run.tmp')) rmSync(join(dir, name), { force: true })
    if (!isRunFileName(name)) continue
    const run = loadRun(dir, name)
    if (run !== null) found.push(run)
    else {
      damaged++
      rmSync(join(dir, name), { force: true })
    }
  }
  // Oldest first; of runs that begin together the widest first, so that what it replaced comes after it.
  found.sort((a, b) => a.header.firstSeal - b.header.firstSeal || b.header.lastSeal - a.header.lastSeal)
  const runs: Run[] = []
  let dropped = 0
  let broken = false
  for (const run of found) {
    const last = runs[runs.length - 1]
    if (!broken && last !== undefined && run.header.lastSeal <= last.header.lastSeal) {
      rmSync(run.path, { force: true })
      continue
    }
    broken ||= run.header.maxSeq >= range.endSeq || run.header.coveredSeq > range.endSeq
    broken ||= last === undefined ? run.header.fromSeq > range.startSeq : !follows(run, last, range.startSeq)
    if (!broken) runs.push(run)
    else {
      dropped++
      rmSync(run.path, { force: true })
    }
  }
  if (damaged + dropped > 0) syncDirectory(dir)
  return { runs, damaged, dropped }
}

/** A deleted run must not come back with the next power cut: by then its seal number stands for something else. */
function syncDirectory(dir: string): void {
  const fd = openSync(dir, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** The next seal, beginning where the last one left off, or past that where only forgotten records lie between. */
function follows(run: Run, last: Run, startSeq: number): boolean {
  const { firstSeal, fromSeq } = run.header
  const { lastSeal, coveredSeq, maxSeq } = last.header
  return firstSeal === lastSeal + 1 && fromSeq >= coveredSeq && fromSeq <= Math.max(coveredSeq, maxSeq + 1, startSeq)
}

/**
 * Checks the log and the quarantine of a data directory without a running service: every record's checksum, every
 * number, every derived file. `repair` cuts torn tails (kept under damaged/) and makes derived files anew; a damaged
 * record in the middle cannot be repaired, only named.
 */
import { existsSync, statSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { columnsPath, listSegments, readColumns, readSegmentHeader } from './segment-file.ts'
import { SegmentWriter } from './segment-writer.ts'
import { type Damage, scanSegment } from './scan.ts'

export type SegmentReport = {
  readonly path: string
  readonly records: number
  readonly bytes: number
  readonly damage: readonly Damage[]
  /** Bytes after the last good record. */
  readonly tornBytes: number
  /** `ok`, `missing` (the newest segment has none), or `damaged`: made anew by the next start. */
  readonly columns: 'ok' | 'missing' | 'damaged'
  /** False when even the header cannot be read. */
  readonly readable: boolean
}

export type FsckReport = {
  readonly ok: boolean
  readonly records: number
  readonly bytes: number
  readonly damagedRecords: number
  readonly tornBytes: number
  readonly repaired: boolean
  readonly segments: readonly SegmentReport[]
}

/** Checks `<dataDir>/log` and `<dataDir>/quarantine`. With `repair` no service may be running (the caller holds the lock). */
export function fsck(dataDir: string, options: { readonly repair: boolean }): FsckReport {
  const dirs = [join(dataDir, 'log'), join(dataDir, 'quarantine')].filter((dir) => existsSync(dir))
  const segments = dirs.flatMap((dir) => {
    const paths = listSegments(dir)
    return paths.map((path, i) => checkSegment(path, paths[i + 1]))
  })
  const damagedRecords = segments.reduce((n, s) => n + s.damage.reduce((m, d) => m + d.records, 0), 0)
  const tornBytes = segments.reduce((n, s) => n + s.tornBytes, 0)
  const ok = segments.every((s) => s.readable && s.damage.length === 0 && s.tornBytes === 0 && s.columns !== 'damaged')
  if (options.repair && !ok) for (const dir of dirs) repair(dir, segments)
  return {
    ok,
    records: segments.reduce((n, s) => n + s.records, 0),
    bytes: segments.reduce((n, s) => n + s.bytes, 0),
    damagedRecords,
    tornBytes,
    repaired: options.repair && !ok,
    segments,
  }
}

function checkSegment(path: string, next: string | undefined): SegmentReport {
  const bytes = statSync(path).size
  const header = readSegmentHeader(path)
  if (header === null)
    return { path, records: 0, bytes, damage: [{ offset: 0, bytes, records: 0 }], tornBytes: 0, columns: 'missing', readable: false }
  let records = 0
  const endSeq = next === undefined ? Infinity : (readSegmentHeader(next)?.firstSeq ?? Infinity)
  const scan = scanSegment(path, header.firstSeq, endSeq, () => {
    records++
  })
  const columns = !existsSync(columnsPath(path)) ? 'missing' : readColumns(path, bytes) === null ? 'damaged' : 'ok'
  // The newest segment is rewritten by its writer: columns of an earlier stop no longer fit it, and are not read.
  const stale = columns === 'damaged' && next === undefined ? 'missing' : columns
  return { path, records, bytes, damage: scan.damage, tornBytes: scan.fileBytes - scan.goodBytes, columns: stale, readable: true }
}

/** Recovery is what a start does: open the directory for writing and close it. Derived files in the way go first. */
function repair(dir: string, segments: readonly SegmentReport[]): void {
  for (const { path, columns } of segments) if (path.startsWith(dir) && columns === 'damaged') unlinkSync(columnsPath(path))
  const writer = new SegmentWriter({
    dir,
    segmentBytes: Infinity,
    maxBytes: Infinity,
    maxAgeMs: Infinity,
    minFreeBytes: 0,
    atCap: 'refuse',
    nowMs: () => 0,
  })
  writer.close()
}

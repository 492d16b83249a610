/**
 * The data directory: one process at a time, a format version from the first day, and the id of the log in it.
 * The lock is an open SQLite transaction: the operating system drops it with the process, also on kill -9.
 */
import { randomBytes } from 'node:crypto'
import { chmodSync, closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, readdirSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { TrunklineError } from '../errors.ts'

export const DATA_FORMAT_VERSION = 1

export type DataDir = {
  readonly path: string
  readonly logId: string
  release(): void
}

type About = { readonly formatVersion: number; readonly logId: string; readonly createdAtMs: number }

/** Takes a data directory for this process, making it when it is absent. Throws a coded error when it must not be used. */
export function takeDataDir(path: string, nowMs: number): DataDir {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    chmodSync(path, 0o700)
  } catch (error) {
    throw new TrunklineError(
      'data_dir.unusable',
      `the data directory ${path} cannot be made: ${(error as Error).message}`,
      'Choose another with --data-dir, or mend its permissions.',
      { cause: error },
    )
  }
  const lock = takeLock(path)
  try {
    const about = readAbout(path) ?? create(path, nowMs)
    return { path, logId: about.logId, release: () => lock.close() }
  } catch (error) {
    lock.close()
    throw error
  }
}

function takeLock(path: string): DatabaseSync {
  let db: DatabaseSync | null = null
  try {
    db = new DatabaseSync(join(path, 'lock.db'))
    db.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
    return db
  } catch (error) {
    db?.close()
    const busy = /locked|busy/.test((error as Error).message)
    throw busy
      ? new TrunklineError(
          'data_dir.locked',
          `another trunkline process uses the data directory ${path}`,
          'Stop it first, or give this one a directory of its own with --data-dir.',
        )
      : new TrunklineError(
          'data_dir.unusable',
          `the data directory ${path} cannot be locked: ${(error as Error).message}`,
          /full/.test((error as Error).message)
            ? 'Free space on the disk, then start again; nothing acknowledged is lost.'
            : 'Mend its permissions or choose another with --data-dir.',
          { cause: error },
        )
  }
}

function readAbout(path: string): About | null {
  const file = join(path, 'trunkline.json')
  if (!existsSync(file)) {
    const log = join(path, 'log')
    if (existsSync(log) && readdirSync(log).some((name) => name.endsWith('.log')))
      throw new TrunklineError(
        'data_dir.damaged',
        `${path} holds a log, but ${file} is missing`,
        'Restore it from a backup: it holds the id that all event ids of this directory begin with.',
      )
    return null
  }
  let about: Partial<About>
  try {
    about = (JSON.parse(readFileSync(file, 'utf8')) ?? {}) as Partial<About>
  } catch (error) {
    throw new TrunklineError(
      'data_dir.damaged',
      `${file} cannot be read: ${(error as Error).message}`,
      'Restore it from a backup: it holds the id that all event ids of this directory begin with.',
      { cause: error },
    )
  }
  const { formatVersion = 0, logId } = about
  if (!Number.isInteger(formatVersion) || formatVersion < 1 || typeof logId !== 'string' || !/^[a-z0-9]{8}$/.test(logId))
    throw new TrunklineError(
      'data_dir.damaged',
      `${file} lacks its format version or log id`,
      'Restore it from a backup: it holds the id that all event ids of this directory begin with.',
    )
  if (formatVersion > DATA_FORMAT_VERSION)
    throw new TrunklineError(
      'log.newer_format',
      `${path} has data format ${formatVersion}; this version knows up to ${DATA_FORMAT_VERSION}`,
      'Start it with the version of trunkline that wrote it, or a newer one.',
    )
  return about as About
}

function create(path: string, nowMs: number): About {
  const about: About = { formatVersion: DATA_FORMAT_VERSION, logId: newLogId(), createdAtMs: nowMs }
  const file = join(path, 'trunkline.json')
  const fd = openSync(`${file}.tmp`, 'w', 0o600)
  writeSync(fd, `${JSON.stringify(about, null, 2)}\n`)
  fsyncSync(fd)
  closeSync(fd)
  renameSync(`${file}.tmp`, file)
  const dir = openSync(path, 'r')
  fsyncSync(dir)
  closeSync(dir)
  return about
}

/** Eight letters and digits, 40 random bits: two installations do not meet. */
function newLogId(): string {
  const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'
  let id = ''
  for (const byte of randomBytes(8)) id += alphabet[byte & 31]
  return id
}

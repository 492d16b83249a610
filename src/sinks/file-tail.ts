import { open, readdir, stat, unlink, type FileHandle } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { step } from '../diagnostics/step.ts'
import { makeDirectory, syncDirectory } from './directory.ts'

/*
 * The numbered files of one file sink, and the one that grows.
 *
 *   <name>-000001.ndjson   full         never touched again
 *   <name>-000002.ndjson   current      [ durable ........ length )[ pending ... )
 *
 * Guarantees: bytes before `length` are on disk and are never rewritten; what lies behind a committed position is cut
 * off by `restore`; a write never leaves a hole and never goes over bytes that somebody else put there. When the
 * current file is no longer the one we wrote (moved, deleted, cut or appended to by hand), the next number begins.
 */

/** Where the files are, and whom to tell when they are not as we left them. */
export type FileTailOptions = {
  readonly dir: string
  readonly name: string
  readonly warn: (message: string) => void
}

type Position = { readonly file: number; readonly length: number; readonly at: string | null }

/** Appends to the last of a run of numbered files. Calls must not overlap. */
export class FileTail {
  readonly #options: FileTailOptions
  /** Which files a position speaks of: a position of another place must never cut these. */
  readonly #at: string
  #number = 1
  #length = 0
  #pending = 0
  /** File `#number` has been made (or taken over) by us. */
  #exists = false
  /** Bytes of a failed write may lie behind `#length`. */
  #dirty = false
  /** The directory has not been synced since file `#number` was made. */
  #unlisted = true
  #handle: FileHandle | null = null
  #inode = ''

  constructor(options: FileTailOptions) {
    this.#options = options
    this.#at = resolve(options.dir, options.name)
  }

  /** Bytes in the current file, those not yet synced included. */
  get endBytes(): number {
    return this.#length + this.#pending
  }

  /** What is durable, as a string for `restore`. */
  position(): string {
    return JSON.stringify({ file: this.#number, length: this.#length, at: this.#at })
  }

  /** Goes back to exactly `position`: later bytes and later files are removed. Null touches nothing that is there. */
  async restore(position: string | null): Promise<void> {
    await makeDirectory(this.#options.dir)
    const numbers = await this.#numbers()
    const committed = this.#readPosition(position)
    this.#pending = 0
    this.#dirty = false
    this.#exists = false
    this.#unlisted = true
    this.#length = 0
    if (committed === null) {
      this.#number = Math.max(0, ...numbers) + 1
      return
    }
    this.#number = committed.file
    if (numbers.includes(committed.file)) await this.#cutBack(committed)
    else if (committed.length > 0) this.#leave(`is gone, though ${committed.length} bytes of it were delivered`)
    const later = numbers.filter((number) => number > committed.file)
    for (const number of later) await unlink(this.#path(number))
    if (later.length > 0) await syncDirectory(this.#options.dir)
  }

  /** Makes sure that the current file is there and still ours; otherwise begins the next one. Rejects when the disk refuses. */
  async ready(): Promise<void> {
    if (this.#exists && this.#handle === null) await this.#reopen()
    if (this.#handle !== null) await this.#inspect(this.#handle)
    if (!this.#exists) await this.#create()
    if (this.#unlisted) {
      await syncDirectory(this.#options.dir)
      this.#unlisted = false
    }
  }

  /** Writes behind what is there; durable only after `sync`. */
  async append(bytes: Uint8Array): Promise<void> {
    const handle = this.#current()
    this.#dirty = true
    for (let done = 0; done < bytes.length;) {
      const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, this.endBytes)
      done += bytesWritten
      this.#pending += bytesWritten
    }
    step('file.written')
  }

  /** Puts everything appended on disk; only then does `position` include it. */
  async sync(): Promise<void> {
    if (this.#pending > 0) await this.#current().datasync()
    this.#length += this.#pending
    this.#pending = 0
    this.#dirty = false
    step('file.synced')
  }

  /** Takes back what was appended since the last `sync`, as well as the disk allows; `ready` makes up for the rest. */
  async undo(): Promise<void> {
    this.#pending = 0
    try {
      if (this.#dirty && this.#handle !== null) {
        await this.#handle.truncate(this.#length)
        this.#dirty = false
      }
    } catch {
      // Still dirty: `ready` cuts before the next write.
    }
    // A handle that failed may be stale (remounted disk): the next `ready` opens the path anew.
    await this.close()
  }

  /** Ends the current file and begins the next with the next `ready`. */
  async rotate(): Promise<void> {
    await this.close()
    this.#advance()
    step('file.rotated')
  }

  async close(): Promise<void> {
    const handle = this.#handle
    this.#handle = null
    // What matters was synced; a failing close of a broken disk changes nothing.
    await handle?.close().catch(() => {})
  }

  /** Cuts the committed file to the committed length, or leaves it alone when it is shorter than that. */
  async #cutBack(committed: Position): Promise<void> {
    const handle = await open(this.#path(committed.file), 'r+')
    try {
      const { size } = await handle.stat()
      if (size < committed.length) {
        this.#leave(`has ${size} bytes, though ${committed.length} were delivered`)
        return
      }
      if (size > committed.length) {
        await handle.truncate(committed.length)
        await handle.sync()
      }
    } finally {
      await handle.close()
    }
    this.#length = committed.length
    this.#exists = true
  }

  async #reopen(): Promise<void> {
    try {
      await this.#adopt(await open(this.#path(this.#number), 'r+'))
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
      this.#leave('was moved or deleted')
    }
  }

  async #inspect(handle: FileHandle): Promise<void> {
    const found = await statOrNull(this.#path(this.#number))
    if (found === null || inodeOf(found) !== this.#inode) return this.#abandon('was moved or deleted')
    if (found.size < this.#length) return this.#abandon('was cut by somebody else')
    if (found.size === this.#length) return
    if (!this.#dirty) return this.#abandon('was appended to by somebody else')
    await handle.truncate(this.#length)
    this.#dirty = false
  }

  async #create(): Promise<void> {
    await makeDirectory(this.#options.dir)
    for (;;) {
      try {
        const handle = await open(this.#path(this.#number), 'wx', 0o600)
        this.#exists = true
        return await this.#adopt(handle)
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw error
        this.#number += 1
      }
    }
  }

  async #adopt(handle: FileHandle): Promise<void> {
    this.#handle = handle
    this.#inode = inodeOf(await handle.stat())
  }

  async #abandon(what: string): Promise<void> {
    await this.close()
    this.#leave(what)
  }

  #leave(what: string): void {
    const path = this.#path(this.#number)
    this.#advance()
    this.#options.warn(`${path} ${what}; delivery goes on in ${this.#path(this.#number)}`)
  }

  #advance(): void {
    this.#number += 1
    this.#length = 0
    this.#pending = 0
    this.#exists = false
    this.#dirty = false
    this.#unlisted = true
  }

  #current(): FileHandle {
    if (this.#handle === null) throw new Error('append before ready')
    return this.#handle
  }

  #path(number: number): string {
    return join(this.#options.dir, `${this.#options.name}-${String(number).padStart(6, '0')}.ndjson`)
  }

  async #numbers(): Promise<readonly number[]> {
    const prefix = `${this.#options.name}-`
    const names = await readdir(this.#options.dir)
    return names
      .filter((file) => file.startsWith(prefix) && /^\d{6,15}\.ndjson$/.test(file.slice(prefix.length)))
      .map((file) => Number.parseInt(file.slice(prefix.length), 10))
  }

  #readPosition(text: string | null): Position | null {
    if (text === null) return null
    const position = toPosition(text)
    if (position !== null && (position.at === null || position.at === this.#at)) return position
    this.#options.warn(`the stored position is not one of ${this.#at}: starting a new file, touching none that is there`)
    return null
  }
}

function toPosition(text: string): Position | null {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return null
  }
  if (typeof parsed !== 'object' || parsed === null) return null
  const { file, length, at } = parsed as Record<string, unknown>
  if (!isCount(file) || file < 1 || !isCount(length)) return null
  return { file, length, at: typeof at === 'string' ? at : null }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function inodeOf(found: { readonly dev: number; readonly ino: number }): string {
  return `${found.dev}:${found.ino}`
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | null)?.code ?? '')
}

async function statOrNull(path: string): Promise<{ dev: number; ino: number; size: number } | null> {
  try {
    return await stat(path)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null
    throw error
  }
}

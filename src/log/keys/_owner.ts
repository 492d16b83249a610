/**
 * The owner of a key index as the tests need it: a log in memory (the truth), the answers it implies, and the duties
 * an owner has (add again after open and after damage). A "crash" is a copy of the directory as it is at that moment.
 */
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KeyIndexError } from './key-index-error.ts'
import { KeyIndex } from './key-index.ts'

type LogRecord = { readonly seq: number; readonly keys: readonly Uint8Array[] }

/** A key made of two numbers: equal `prefix` means equal first eight bytes. */
export function keyOf(prefix: number, rest: number): Uint8Array {
  const key = Buffer.alloc(16)
  // Spread over the whole range of first words, and some with the same first word only.
  key.writeUInt32BE(Math.imul(prefix >>> 1, 0x9e3779b1) >>> 0, 0)
  key.writeUInt32BE(prefix & 1, 4)
  key.writeUInt32BE(rest, 12)
  return key
}

export class Owner {
  dir: string
  index: KeyIndex
  bound = 0
  nextSeq = 0
  /** How often a run turned out damaged in use. */
  repairs = 0
  readonly memoryKeys: number
  #log: LogRecord[] = []

  constructor(memoryKeys: number) {
    this.memoryKeys = memoryKeys
    this.dir = mkdtempSync(join(tmpdir(), 'trunkline-keys-'))
    this.index = this.#open()
  }

  /** Appends a record with these keys, `skip` sequence numbers after the last. */
  append(keys: readonly Uint8Array[], skip = 0): number {
    const seq = this.nextSeq + skip
    this.nextSeq = seq + 1
    this.#log.push({ seq, keys })
    for (const key of keys) this.index.add(key, seq)
    return seq
  }

  /** The answer of the index; damage is repaired as an owner must. */
  find(key: Uint8Array): number {
    return this.#repairing(() => this.index.find(key))
  }

  merge(budgetMs: number): boolean {
    return this.#repairing(() => this.index.mergeSome(budgetMs, () => 0))
  }

  drop(seq: number): void {
    this.bound = Math.max(this.bound, seq)
    this.#log = this.#log.filter((record) => record.seq >= this.bound)
    this.index.dropBefore(seq)
  }

  /** What the log says: the newest record that carries the key. */
  truth(key: Uint8Array): number {
    return this.#log.findLast((record) => carries(record, key))?.seq ?? -1
  }

  check(keys: readonly Uint8Array[]): void {
    for (const key of keys) assert.equal(this.find(key), this.truth(key), `key ${Buffer.from(key).toString('hex')}`)
  }

  restart(): void {
    this.index.close()
    this.index = this.#open()
    this.#addAgain()
  }

  /** Goes on from the files as they are now, after `change` was done to them and the log lost its last records. */
  crash(change: (dir: string) => void = () => {}, lostRecords = 0): void {
    const left = this.copyOfFiles()
    this.dispose()
    this.dir = left
    change(left)
    for (let i = 0; i < lostRecords && this.#log.length > 1; i++) this.nextSeq = this.#log.pop()?.seq ?? this.nextSeq
    this.index = this.#open()
    this.#addAgain()
  }

  copyOfFiles(): string {
    const copy = mkdtempSync(join(tmpdir(), 'trunkline-keys-'))
    cpSync(this.dir, copy, { recursive: true })
    return copy
  }

  /** Opens the index over another copy of the files and brings it up to date. */
  adopt(dir: string): void {
    this.dispose()
    this.dir = dir
    this.index = this.#open()
    this.#addAgain()
  }

  dispose(): void {
    this.index.close()
    rmSync(this.dir, { recursive: true, force: true })
  }

  #open(): KeyIndex {
    return KeyIndex.open({
      dir: this.dir,
      memoryKeys: this.memoryKeys,
      startSeq: this.bound,
      endSeq: this.nextSeq,
      verify: (seq, key) => {
        const record = this.#log.find((one) => one.seq === seq)
        return record !== undefined && carries(record, key)
      },
    })
  }

  #addAgain(): void {
    const from = this.index.coveredThroughSeq
    for (const record of this.#log) {
      if (record.seq >= from) for (const key of record.keys) this.index.add(key, record.seq)
    }
  }

  #repairing<T>(ask: () => T): T {
    for (;;) {
      try {
        return ask()
      } catch (cause) {
        if (!(cause instanceof KeyIndexError) || cause.code !== 'keys.damaged') throw cause
        this.repairs++
        this.#addAgain()
      }
    }
  }
}

/** Names of run files, oldest first. */
export function runFiles(dir: string): string[] {
  return readdirSync(dir)
    .filter((name) => name.endsWith('.run'))
    .toSorted((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
}

/** Changes one byte of the file, at a place given as a fraction of its length. */
export function flipByte(path: string, place: number, mask: number): void {
  const bytes = readFileSync(path)
  const at = Math.min(bytes.length - 1, Math.floor(bytes.length * place))
  bytes[at] = (bytes[at] ?? 0) ^ mask
  writeFileSync(path, bytes)
}

function carries(record: LogRecord, key: Uint8Array): boolean {
  return record.keys.some((one) => Buffer.compare(one, key) === 0)
}

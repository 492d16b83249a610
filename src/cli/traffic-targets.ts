/**
 * Where simulated traffic goes: standard output, a file, a service. Each takes records as they come and holds back whoever
 * makes them while it is busy; nothing grows.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import { resolve } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { TrunklineError } from '../errors.ts'
import { Packer } from './batches.ts'
import { clientOf } from './client.ts'
import type { Context } from './context.ts'
import { usageError } from './failure.ts'
import type { ClientOptions } from './options.ts'
import { Sending, type SendCounts } from './sending.ts'
import { escapeText } from './text.ts'

export interface Target {
  /** Takes one record; true when `flush` must come before the next one. */
  put(record: string | Uint8Array): boolean
  /** Passes on what was taken; rejects when that is not possible. */
  flush(): Promise<void>
  close(): void
}

const CHUNK_BYTES = 512 * 1024
const NEWLINE = 0x0a

/** Lines collected for one write. Text goes in as it is: a chunk costs one encoding of each record and no joining. */
class Lines {
  readonly #chunk: Buffer = Buffer.allocUnsafe(CHUNK_BYTES)
  #used = 0
  /** A record larger than what is left, for which there is a chunk of its own. */
  readonly #large: Buffer[] = []

  put(record: string | Uint8Array): boolean {
    const mostBytes = typeof record === 'string' ? record.length * 3 : record.length
    if (this.#large.length > 0 || this.#used + mostBytes + 1 > CHUNK_BYTES) {
      this.#large.push(typeof record === 'string' ? Buffer.from(`${record}\n`) : Buffer.concat([record, Buffer.of(NEWLINE)]))
      return true
    }
    if (typeof record === 'string') this.#used += this.#chunk.write(record, this.#used)
    else {
      this.#chunk.set(record, this.#used)
      this.#used += record.length
    }
    this.#chunk[this.#used++] = NEWLINE
    return false
  }

  /** What is there, in order; it stays as it is until the next `put`. */
  take(): readonly Uint8Array[] {
    const parts = [this.#chunk.subarray(0, this.#used), ...this.#large].filter((part) => part.length > 0)
    this.#large.length = 0
    this.#used = 0
    return parts
  }
}

export function standardOutput({ io }: Context): Target {
  const { stdout } = io
  const lines = new Lines()
  return {
    // What is no text must not reach a terminal as it is.
    put: (record) => lines.put(stdout.isTTY ? escapeText(typeof record === 'string' ? record : Buffer.from(record).toString()) : record),
    async flush() {
      // A stream may keep what it is given beyond the next record.
      for (const part of lines.take()) stdout.write(Buffer.from(part))
      await stdout.drained?.()
      await turn()
    },
    close: () => undefined,
  }
}

export function file({ io }: Context, name: string): Target {
  const lines = new Lines()
  const path = resolve(io.cwd, name)
  let descriptor: number
  try {
    descriptor = openSync(path, 'w')
  } catch (error) {
    throw usageError(`${name} cannot be written to (${reasonOf(error)}).`, 'Name a file in a folder that exists.')
  }
  return {
    put: (record) => lines.put(record),
    async flush() {
      try {
        for (const part of lines.take()) for (let at = 0; at < part.length;) at += writeSync(descriptor, part, at)
      } catch (error) {
        throw new TrunklineError(
          'simulate.write_failed',
          `${name} could not be written any further (${reasonOf(error)}).`,
          'Make room, or end earlier with --duration or --limit.',
          { cause: error },
        )
      }
      // So that a signal is seen.
      await turn()
    },
    close: () => closeSync(descriptor),
  }
}

/** POST /v1/events, batch after batch, each until it is acknowledged. */
export function service(
  { io, signal }: Context,
  options: ClientOptions & { readonly timeoutMs: number; onWaiting(why: string | null): void },
): Target & { readonly counts: SendCounts } {
  const sending = new Sending({
    client: clientOf(io, options),
    io,
    signal,
    timeoutMs: options.timeoutMs,
    onProgress: (_, waiting) => options.onWaiting(waiting),
  })
  const packer = new Packer()
  const full: ReturnType<Packer['close']>[] = []
  let index = 0
  return {
    counts: sending.counts,
    put(record) {
      const bytes = typeof record === 'string' ? Buffer.from(record) : record
      const batch = packer.add({ source: 'simulation', index: index++, bytes })
      if (batch !== null) full.push(batch)
      return batch !== null
    },
    async flush() {
      for (const batch of [...full.splice(0), packer.close()]) if (batch !== null) await sending.send(batch)
    },
    close: () => undefined,
  }
}

function reasonOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown'
}

/**
 * The file that `trunkline simulate --truth` writes when all is over. It is opened before anything runs, so that a wrong path is
 * not found out at the end; what cannot be written then is said as what it is.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import { resolve } from 'node:path'
import { TrunklineError } from '../errors.ts'
import type { Context } from './context.ts'
import { usageError } from './failure.ts'

export class TruthFile {
  readonly #name: string
  readonly #descriptor: number

  constructor({ io }: Context, name: string) {
    this.#name = name
    try {
      this.#descriptor = openSync(resolve(io.cwd, name), 'w')
    } catch (error) {
      throw usageError(`${name} cannot be written to (${reasonOf(error)}).`, 'Name a file in a folder that exists.')
    }
  }

  /** Writes the file to its end, once; throws a coded error when that is not possible. */
  write(parts: Iterable<string>): void {
    try {
      for (const part of parts) {
        const bytes = Buffer.from(part)
        for (let at = 0; at < bytes.length;) at += writeSync(this.#descriptor, bytes, at)
      }
    } catch (error) {
      throw new TrunklineError(
        'simulate.write_failed',
        `The truth could not be written to ${this.#name} to its end (${reasonOf(error)}).`,
        'Make room, and run it again with the same seed.',
        { cause: error },
      )
    } finally {
      closeSync(this.#descriptor)
    }
  }
}

function reasonOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown'
}

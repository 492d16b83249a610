/**
 * From anything thrown to what the user sees and the exit code of the process: 2 for what must be put right before
 * anything can start (usage, configuration, the data directory, the address), 1 for what was tried and failed.
 */
import { TrunklineError } from '../errors.ts'
import type { Problem } from './context.ts'

export const OK = 0
export const FAILED = 1
export const USAGE = 2

/** Wrong use of the command; ends with exit code 2. */
export function usageError(message: string, hint: string): TrunklineError {
  return new TrunklineError('usage.wrong', message, hint)
}

/** Whatever was thrown, as a problem. */
export function problemOf(error: unknown): Problem {
  if (isProblem(error)) return error
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return { code: 'cli.unexpected', message, hint: 'This is a fault in Trunkline; please report it with the command you ran. TRUNKLINE_DEBUG=1 shows where it happened.' }
}

/** The exit code a problem ends the process with. */
export function exitCodeOf(problem: Problem): number {
  return FIX_FIRST.some((start) => problem.code.startsWith(start)) ? USAGE : FAILED
}

/** Areas whose problems the user puts right before anything starts. */
const FIX_FIRST: readonly string[] = ['usage.', 'config.', 'data_dir.', 'http.', 'auth.', 'token.', 'log.newer_format']

function isProblem(error: unknown): error is Problem {
  return typeof error === 'object' && error !== null && ['code', 'message', 'hint'].every((key) => key in error && typeof (error as Record<string, unknown>)[key] === 'string')
}

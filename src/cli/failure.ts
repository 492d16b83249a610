/**
 * From anything thrown to what the user sees and the exit code of the process: 2 for what must be put right before
 * anything can start (usage, configuration, the data directory, the address), 1 for what was tried and failed.
 */
import { TrunklineError } from '../errors.ts'
import type { Problem } from './context.ts'
import { fieldOf } from './read.ts'

export const OK = 0
export const FAILED = 1
export const USAGE = 2

/** Wrong use of the command; ends with exit code 2. */
export function usageError(message: string, hint: string): TrunklineError {
  return new TrunklineError('usage.wrong', message, hint)
}

/** Whatever was thrown, as a problem. */
export function problemOf(error: unknown): Problem {
  // Not the error itself: the message of an Error gets lost when it is copied or made JSON.
  if (isProblem(error)) return { code: error.code, message: error.message, hint: error.hint }
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return {
    code: 'cli.unexpected',
    message,
    hint: 'This is a fault in Trunkline; please report it with the command you ran. TRUNKLINE_DEBUG=1 shows where it happened.',
  }
}

/** The exit code that what was thrown ends the process with. */
export function exitCodeOf(error: unknown): number {
  const given = fieldOf(error, 'exitCode')
  if (typeof given === 'number') return given
  const { code } = problemOf(error)
  return FIX_FIRST.some((start) => code.startsWith(start)) ? USAGE : FAILED
}

/** What a service finds wrong in the arguments that it was handed. */
const ARGUMENTS: readonly string[] = [
  'http.bad_request',
  'route.unknown',
  'topic.unknown',
  'directory.name_unknown',
  'flag.unknown',
  'flag.bad_name',
  'flag.bad_value',
  'flag.bad_class',
  'flag.no_limit',
  'flag.bad_key',
  'flag.bad_time',
]

/** The exit code for what a service answered: a failure of what was tried, whatever area its code names, but for wrong arguments. */
export function exitCodeOfAnswer(code: string): number {
  return ARGUMENTS.includes(code) ? USAGE : FAILED
}

/** Areas whose problems the user puts right before anything starts. */
const FIX_FIRST: readonly string[] = [
  'usage.',
  'config.',
  'test.',
  'data_dir.',
  'http.',
  'auth.',
  'token.',
  ...ARGUMENTS,
  'log.newer_format',
  'genesys.not_configured',
  'genesys.region_unknown',
  'genesys.base_url',
]

function isProblem(error: unknown): error is Problem {
  // `message` of an Error is its own property; `code` and `hint` are what tells ours from others.
  return ['code', 'message', 'hint'].every((key) => typeof fieldOf(error, key) === 'string')
}

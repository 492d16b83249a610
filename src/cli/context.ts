/**
 * What a verb is given, and the few ways it may speak: lines of escaped text, JSON, and errors. Colour only where a
 * terminal reads and NO_COLOR does not forbid it.
 */
import type { Io, Output } from './io.ts'
import { escapeText, toJson } from './text.ts'

export type Context = {
  readonly io: Io
  /** Aborts when the verb should come to its end: nobody reads its output. */
  readonly signal: AbortSignal
  /** Set by a verb that must outlive its reader, such as the service. */
  outlivesOutput: boolean
  /** 0 done, 1 failed, 2 wrong usage or configuration. */
  exitCode: number
}

/** What any failure has that a person can act on. */
export type Problem = { readonly code: string; readonly message: string; readonly hint: string }

/** One line to standard output. The caller has escaped what came from outside. */
export function print(context: Context, line = ''): void {
  context.io.stdout.write(`${line}\n`)
}

/** One line to standard error. The caller has escaped what came from outside. */
export function note(context: Context, line: string): void {
  context.io.stderr.write(`${line}\n`)
}

/** A value as indented JSON, or as one line of NDJSON. */
export function printJson(context: Context, value: unknown, options: { readonly line: boolean } = { line: false }): void {
  const { stdout } = context.io
  print(context, toJson(value, { terminal: stdout.isTTY, ...(options.line ? {} : { indent: 2 }) }))
}

/** A problem and its fix. */
export function printProblem(context: Context, problem: Problem): void {
  note(context, `trunkline: ${escapeText(problem.message)} [${escapeText(problem.code)}]`)
  if (problem.hint !== '') note(context, `  fix: ${escapeText(problem.hint)}`)
}

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan'

/** Puts text in a style, or leaves it where there is no colour. */
export type Paint = (style: Style, text: string) => string

export function paintFor(context: Context, output: Output = context.io.stdout): Paint {
  const { env } = context.io
  const plain = !output.isTTY || (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb'
  return plain ? (_, text) => text : (style, text) => `\u001b[${CODES[style][0]}m${text}\u001b[${CODES[style][1]}m`
}

const CODES: Readonly<Record<Style, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
}

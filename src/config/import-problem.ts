import { fileURLToPath } from 'node:url'
import { jsonErrorAt } from '../event/json-error.ts'
import type { ConfigError } from './errors.ts'

/** Turns what was thrown while a configuration file was imported into an error with its place and its fix. */

/** `located` is a second error for the same fault, when only that one says where; null when there is none. */
export function importProblem(file: string, error: unknown, located: unknown): ConfigError {
  if (!(error instanceof Error)) {
    return problem(
      file,
      'config.threw',
      `The file threw ${typeof error === 'string' ? JSON.stringify(error) : `a value of type ${typeof error}`} while it was loaded.`,
      REMEDY,
    )
  }
  const at = positionIn(error, file) ?? (located instanceof Error ? positionIn(located, file) : null)
  const where = at === null ? '' : ` (${at})`
  const code = 'code' in error ? String(error.code) : ''
  switch (code) {
    case 'ERR_MODULE_NOT_FOUND':
    case 'MODULE_NOT_FOUND':
      return missingModule(file, error, where)
    case 'ERR_PACKAGE_PATH_NOT_EXPORTED':
    case 'ERR_UNSUPPORTED_DIR_IMPORT':
      return problem(file, 'config.missing_module', `${firstLine(error)}${where}`, 'Import a path that the package offers.')
    case 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX':
      return problem(
        file,
        'config.syntax',
        `${firstLine(error)}${where}.`,
        'Node runs TypeScript by removing types: use no enum, namespace or parameter property.',
      )
    case 'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING':
      return problem(
        file,
        'config.syntax',
        'Node runs no TypeScript inside node_modules.',
        'Move the file out of node_modules, or write it in JavaScript.',
      )
  }
  if (error instanceof SyntaxError) {
    if (/does not provide an export named/.test(error.message)) {
      return problem(file, 'config.missing_module', `${firstLine(error)}${where}.`, 'Check the name between the braces of that import.')
    }
    return problem(
      file,
      'config.syntax',
      `${firstLine(error)}${where}.`,
      'Correct the file there; the fault may lie just before that place.',
    )
  }
  return problem(file, 'config.threw', `The file stopped with ${error.name}: ${firstLine(error)}${where}`, REMEDY)
}

/** The same for JSON, which has no imports and no code. The engine's message is not used: it quotes the text, which may be a secret. */
export function jsonProblem(file: string, source: string): ConfigError {
  const bytes = Buffer.from(source)
  const before = bytes
    .subarray(0, Math.max(0, jsonErrorAt(bytes)))
    .toString()
    .split('\n')
  const where = `line ${before.length}, column ${(before.at(-1) ?? '').length + 1}`
  const hint = 'JSON wants double quotes, no comments and no comma after the last entry; trunkline.config.ts allows all of them.'
  return problem(file, 'config.syntax', `The file is no valid JSON (${where}).`, hint)
}

const REMEDY = 'Correct the code of the file at that place; it must run without help from outside.'

/** Whether the error itself says where in the user's code it happened. */
export function saysWhere(error: unknown, file: string): boolean {
  return error instanceof Error && positionIn(error, file) !== null
}

function missingModule(file: string, error: Error, where: string): ConfigError {
  const [, kind, name, importer] = /Cannot find (package|module) '([^']+)'(?: imported from (.+))?/.exec(error.message) ?? []
  if (name === undefined) return problem(file, 'config.missing_module', `${firstLine(error)}${where}`, 'Check the import.')
  const by = importer === undefined || importer === file ? '' : `, imported from ${importer},`
  const hint =
    kind === 'package' && !name.startsWith('/')
      ? `Run "npm install ${packageOf(name)}" in the folder of the file, or remove the import.`
      : 'Check the path of the import; it needs the file ending, such as "./routes.ts".'
  return problem(file, 'config.missing_module', `The ${kind ?? 'module'} ${JSON.stringify(name)}${by} does not exist${where}.`, hint)
}

/** `@scope/name/sub` is in the package `@scope/name`. */
function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

/**
 * The place an error's stack names, in words. Node puts `FILE:LINE`, the line and a caret above the message of a
 * syntax error, and frames `FILE:LINE:COLUMN` below the message of any other.
 */
function positionIn(error: Error, file: string): string | null {
  const lines = (error.stack ?? '').split('\n')
  const head = /^(.*):(\d+)$/.exec(lines[0] ?? '')
  if (head !== null && isPath(head[1])) {
    const caret = lines.slice(1, 8).find((line) => /^\s*\^+\s*$/.test(line))
    return inWords(pathOf(head[1] ?? ''), head[2], caret === undefined ? undefined : String(caret.indexOf('^') + 1), file)
  }
  for (const line of lines) {
    const frame = /^\s*at (?:async |.*\()?(file:\/\/.*|\/.*):(\d+):(\d+)\)?$/.exec(line)
    if (frame !== null)
      return pathOf(frame[1] ?? '').includes('/node_modules/') ? null : inWords(pathOf(frame[1] ?? ''), frame[2], frame[3], file)
  }
  return null
}

function inWords(path: string, line: string | undefined, column: string | undefined, file: string): string | null {
  // Our own frames say nothing about the user's file.
  if (path === fileURLToPath(import.meta.url) || path === fileURLToPath(new URL(import.meta.url.replace('import-problem', 'import-file'))))
    return null
  return `${path === file ? '' : `${path}, `}line ${line}${column === undefined ? '' : `, column ${column}`}`
}

function isPath(text: string | undefined): boolean {
  return text !== undefined && (text.startsWith('/') || text.startsWith('file://') || /^[A-Za-z]:\\/.test(text))
}

/** A path without scheme and query, whatever form the stack had. */
function pathOf(text: string): string {
  return text.startsWith('file://') ? fileURLToPath(new URL(text.replace(/\?.*$/, ''))) : text.replace(/\?.*$/, '')
}

function firstLine(error: Error): string {
  return error.message.split('\n')[0] ?? ''
}

function problem(file: string, code: ConfigError['code'], message: string, hint: string): ConfigError {
  return { code, file, path: '', message, hint }
}

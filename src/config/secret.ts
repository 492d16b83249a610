import { resolve } from 'node:path'
import { report, type Place, type Reading } from './reading.ts'

/**
 * Values that may be kept out of the configuration file, and what may be shown of those that are secret. No function
 * here puts a secret value into a message.
 */

export const MASK = '***'

/** A text that was given outright (`from` null) or through `env:NAME` / `file:PATH`. */
export type SecretText = { readonly text: string; readonly from: string | null }

/** Follows `env:` and `file:`; null (and an error) when nothing is there. Line ends at the end of a file do not count. */
export function readSecret(value: string, place: Place, reading: Reading): SecretText | null {
  if (value.startsWith('env:')) return fromEnvironment(value.slice(4), place, reading)
  if (value.startsWith('file:')) return fromFile(value.slice(5), place, reading)
  return { text: value, from: null }
}

/** A sink address without what may be secret in it. */
export function shownUrl(url: URL, from: string | null): string {
  if (from !== null) return MASK
  return `${url.protocol}//${url.host}${url.pathname}${url.search === '' ? '' : `?${MASK}`}`
}

function fromEnvironment(name: string, place: Place, reading: Reading): SecretText | null {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    const hint = 'Write "env:" and the name of the variable, such as "env:CRM_TOKEN".'
    report(reading, place, 'config.bad_value', 'begins with "env:" and no variable name follows.', hint)
    return null
  }
  const text = reading.context.env[name]
  if (text !== undefined && text !== '') return { text, from: `env:${name}` }
  const state = text === undefined ? 'is not set' : 'is empty'
  report(
    reading,
    place,
    'config.missing_secret',
    `needs the environment variable ${name}, which ${state}.`,
    `Set ${name} before the start.`,
  )
  return null
}

function fromFile(name: string, place: Place, reading: Reading): SecretText | null {
  if (name === '') {
    const hint = 'Write "file:" and a path, such as "file:secrets/crm-token".'
    report(reading, place, 'config.bad_value', 'begins with "file:" and no path follows.', hint)
    return null
  }
  const path = resolve(reading.folder, name)
  try {
    const text = reading.context.readFile(path).replace(/[\r\n]+$/, '')
    if (text !== '') return { text, from: `file:${name}` }
    report(reading, place, 'config.missing_secret', `needs the file ${path}, which is empty.`, 'Put the secret into that file.')
  } catch (error) {
    const reason = errorCode(error) ?? 'no reason given'
    const hint = 'Create that file, or make it readable for the user that runs Trunkline.'
    report(reading, place, 'config.missing_secret', `needs the file ${path}, which cannot be read (${reason}).`, hint)
  }
  return null
}

function errorCode(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null
}

import { resolve } from 'node:path'
import { readNumbers, readPriorityRules, readRates } from './limit.ts'
import type { Option } from './option.ts'
import { type Accepted, describe, element, join, report, wrongType, type Place, type Reading } from './reading.ts'
import { readEventPattern } from './patterns.ts'
import { readPolicy } from './policy.ts'
import { readSecret, shownUrl } from './secret.ts'
import { readServiceLevels } from './service-levels.ts'

/**
 * Reads one value as its option wants it. Nothing is converted in a configuration file (the text "4680" is no port);
 * only flags and environment variables, which are always text, are read as numbers.
 */

export function readValue(option: Option, place: Place, reading: Reading): Accepted | null {
  const { value } = place.given
  if (value === null && option.nullable === true) return { value: null }
  switch (option.type) {
    case 'integer':
      return readInteger(option, place, reading)
    case 'number':
      return readNumber(option, place, reading)
    case 'rates':
      return readRates(option, place, reading)
    case 'numbers':
      return readNumbers(option, place, reading)
    case 'priorityRules':
      return readPriorityRules(option, place, reading)
    case 'serviceLevels':
      return readServiceLevels(option, place, reading)
    case 'boolean':
      return typeof value === 'boolean'
        ? { value }
        : wrongType('true or false', 'Write true or false without quotes.', option, place, reading)
    case 'choice':
      return readChoice(option, place, reading)
    case 'text':
      return readText(option, place, reading)
    case 'list':
      return readList(option, place, reading)
    case 'secret':
      return readSecretText(option, place, reading)
    case 'pattern':
      return readEventPattern(option, place, reading)
    case 'policy':
      return readPolicy(option, place, reading)
    case 'folder':
    case 'file':
      return readPath(option, place, reading)
    case 'url':
      return readUrl(option, place, reading)
    case 'headers':
      return readHeaders(option, place, reading)
    case 'group':
    case 'routes':
      return wrongType('an object', 'Write { ... }.', option, place, reading)
  }
}

function readInteger(option: Option, place: Place, reading: Reading): Accepted | null {
  const fromText = place.given.origin === 'env' || place.given.origin === 'flag'
  const given = place.given.value
  const value = fromText && typeof given === 'string' && /^\d{1,15}$/.test(given) ? Number(given) : given
  const min = option.min ?? 0
  const max = option.max ?? Number.MAX_SAFE_INTEGER
  const unit = option.unit === undefined ? '' : option.unit === 'ms' ? ' of milliseconds' : ' of bytes'
  if (typeof value !== 'number') return wrongType(`a whole number${unit}`, numberHint(option, given, fromText), option, place, reading)
  if (Number.isSafeInteger(value) && value >= min && value <= max) return { value }
  const range = option.max === undefined ? `of at least ${min}` : `from ${min} to ${max}`
  report(reading, place, 'config.bad_value', `must be a whole number${unit} ${range}, but is ${value}.`, `Write a whole number ${range}.`)
  return null
}

function readNumber(option: Option, place: Place, reading: Reading): Accepted | null {
  const { value } = place.given
  const { min = 0, max = 1_000_000 } = option
  if (typeof value !== 'number') return wrongType('a number', numberHint(option, value, false), option, place, reading)
  if (value >= min && value <= max) return { value }
  report(
    reading,
    place,
    'config.bad_value',
    `must be a number from ${min} to ${max}, but is ${value}.`,
    `Write a number from ${min} to ${max}.`,
  )
  return null
}

function numberHint(option: Option, given: unknown, fromText: boolean): string {
  if (fromText) return 'Give digits only.'
  if (typeof given === 'string' && /^\d+$/.test(given)) return `Write ${given} without quotes.`
  if (option.unit === 'bytes') return 'Write a plain number of bytes: 64 MiB is 67108864.'
  if (option.unit === 'ms') return 'Write a plain number of milliseconds: 30 seconds are 30000.'
  return 'Write a plain number.'
}

function readChoice(option: Option, place: Place, reading: Reading): Accepted | null {
  const { value } = place.given
  const choices = option.choices ?? []
  const words = choices.map((choice) => `"${choice}"`).join(' or ')
  if (typeof value !== 'string') return wrongType(words, `Write ${words}.`, option, place, reading)
  if (choices.includes(value)) return { value }
  report(reading, place, 'config.bad_value', `must be ${words}, but is ${describe(value, false)}.`, `Write ${words}.`)
  return null
}

function readText(option: Option, place: Place, reading: Reading): Accepted | null {
  const { value } = place.given
  if (typeof value !== 'string') return wrongType('a text', 'Write it in quotes.', option, place, reading)
  return fits(option, value, place, reading) ? { value } : null
}

function readList(option: Option, place: Place, reading: Reading): Accepted | null {
  const { value } = place.given
  if (!Array.isArray(value)) return wrongType('a list of texts', "Write it as ['...', '...'].", option, place, reading)
  const entries: string[] = []
  let good = true
  for (const [index, entry] of [...(value as unknown[])].entries()) {
    const at = element(place, `[${index}]`, entry)
    if (typeof entry !== 'string') {
      wrongType('a text', 'Write it in quotes.', option, at, reading)
      good = false
    } else if (fits(option, entry, at, reading)) entries.push(entry)
    else good = false
  }
  return good ? { value: entries } : null
}

function fits(option: Option, text: string, place: Place, reading: Reading): boolean {
  if (option.pattern === undefined || option.pattern.test(text)) return true
  report(
    reading,
    place,
    'config.bad_value',
    `must be ${option.form ?? 'another text'}, but is ${describe(text, false)}.`,
    `Write ${option.form ?? 'another text'}.`,
  )
  return false
}

function readPath(option: Option, place: Place, reading: Reading): Accepted | null {
  const { value, origin } = place.given
  const thing = `the path of a ${option.type}`
  if (typeof value !== 'string') return wrongType('a path', `Write ${thing} in quotes.`, option, place, reading)
  if (value !== '' && !value.includes('\0')) {
    const path = resolve(origin === 'file' ? reading.folder : reading.context.cwd, value)
    if (option.type === 'file' && reading.context.fileExists?.(path) === false)
      report(reading, place, 'config.missing_file', `is ${path}, and there is no such file.`, 'Write the file, or correct the path.')
    return { value: path }
  }
  report(reading, place, 'config.bad_value', `must be ${thing}, but is empty or contains a NUL.`, `Write ${thing}.`)
  return null
}

/** A text that may stand in the environment or in a file, and is never shown. */
function readSecretText(option: Option, place: Place, reading: Reading): Accepted | null {
  const { value } = place.given
  if (typeof value !== 'string') return wrongType('a text', "Write it as 'env:NAME' or 'file:PATH'.", option, place, reading)
  const secret = readSecret(value, place, reading)
  if (secret === null) return null
  if (/^[\x21-\x7e]{1,1000}$/.test(secret.text)) return { value: secret.text }
  report(
    reading,
    place,
    'config.bad_value',
    'is empty, has a space or line end in it, or is longer than 1,000 characters.',
    'Copy it again, whole and nothing else.',
  )
  return null
}

function readUrl(option: Option, place: Place, reading: Reading): Accepted | null {
  const { value } = place.given
  if (typeof value !== 'string') return wrongType('an address', "Write it in quotes: 'https://crm.example/events'.", option, place, reading)
  const hint = "Write an address such as 'https://crm.example/events'."
  const secret = value.startsWith('file://') ? { text: value, from: null } : readSecret(value, place, reading)
  if (secret === null) return null
  const origin = secret.from === null ? '' : ` (read from ${secret.from})`
  // `https:/host`, `https:host` and control characters are repaired silently by the parser; here they are slips.
  const url = /^[a-z][a-z0-9+.-]*:\/\/[^\s\p{Cc}]+$/iu.test(secret.text) ? URL.parse(secret.text) : null
  const problem =
    url === null
      ? 'is no address with scheme and host'
      : url.protocol !== 'http:' && url.protocol !== 'https:'
        ? `must begin with http:// or https://, not ${url.protocol}`
        : url.username !== '' || url.password !== ''
          ? 'carries a user name or password'
          : null
  if (url !== null && problem === null) {
    reading.shownUrls.set(place.path, shownUrl(url, secret.from))
    return { value: url.href }
  }
  const credentials = problem === 'carries a user name or password'
  const fix = credentials ? "Take them out of the address and send a header: headers: { authorization: 'env:NAME' }." : hint
  report(reading, place, 'config.bad_url', `${problem}${origin}.`, fix)
  return null
}

/** Headers that the HTTP sink sets itself, or that would change how the request is framed or where it goes. */
const RESERVED_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'idempotency-key',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

function readHeaders(option: Option, place: Place, reading: Reading): Accepted | null {
  const { value } = place.given
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return wrongType('an object of texts', "Write it as { authorization: 'env:NAME' }.", option, place, reading)
  }
  const headers = new Map<string, string>()
  const before = reading.errors.length
  for (const [name, entry] of Object.entries(value) as [string, unknown][]) {
    if (entry === undefined) continue
    const at = element(place, join('', name).replace(/^(?!\[)/, '.'), entry)
    const lower = name.toLowerCase()
    if (!/^[A-Za-z0-9!#$%&'*+.^`|~-][\w!#$%&'*+.^`|~-]*$/.test(name)) {
      report(reading, at, 'config.bad_value', 'is no valid header name.', 'Use letters, digits and hyphens.')
    } else if (RESERVED_HEADERS.has(lower)) {
      report(reading, at, 'config.bad_value', 'is a header that Trunkline sets itself.', 'Remove it.')
    } else if (headers.has(lower)) {
      report(reading, at, 'config.bad_value', 'is given twice; upper and lower case are the same header.', 'Keep one of the two.')
    } else {
      const text = headerText(option, at, reading)
      if (text !== null) headers.set(lower, text)
    }
  }
  return reading.errors.length === before ? { value: Object.fromEntries(headers) } : null
}

function headerText(option: Option, place: Place, reading: Reading): string | null {
  const { value } = place.given
  if (typeof value !== 'string') {
    wrongType('a text', "Write it in quotes, or as 'env:NAME'.", option, place, reading)
    return null
  }
  const secret = readSecret(value, place, reading)
  if (secret === null) return null
  if (/^[\t\x20-\x7e\x80-\xff]*$/.test(secret.text)) return secret.text
  report(
    reading,
    place,
    'config.bad_value',
    'contains a character that no header may have, such as a line end.',
    'Remove it from the value.',
  )
  return null
}

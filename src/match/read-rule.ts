/**
 * Reads one entry of a clause: a value, or an object with one operator. What the official library refuses is refused, with the
 * nearest operator named.
 */
import { nearestName } from '../config/nearest.ts'
import { isObject } from '../event/json.ts'
import { addressDigits, blockTest, readBlock } from './address.ts'
import type { Report } from './pattern.ts'
import type { Rule, Scalar, Test, TextOperator } from './rule.ts'
import { equalsTest, noneOf, oneOf, rangeTest, textTest } from './rule.ts'
import { wildcardProblem } from './wildcard.ts'

/** The operators, by name. */
export const OPERATORS: readonly string[] = [
  'prefix',
  'suffix',
  'equals-ignore-case',
  'wildcard',
  'anything-but',
  'numeric',
  'cidr',
  'exists',
  'exactly',
]

/** Reads an entry; null when something was reported. */
export function readRule(entry: unknown, path: string, report: Report): Rule | null {
  if (isScalar(entry)) return valueRule(entry, path, report)
  if (!isObject(entry)) {
    const what = Array.isArray(entry) ? 'is an array in an array' : 'is no JSON'
    return refuse(report, path, what, 'An entry is a text, a number, true, false, null, or an object with one operator.')
  }
  const operator = only(entry)
  if (operator === null) {
    const count = Object.keys(entry).length
    const hint = `Write one operator an object; several objects in the array mean "one of them". Operators: ${OPERATORS.join(', ')}.`
    return refuse(report, path, count === 0 ? 'is an empty object' : `has ${count} keys where one operator is expected`, hint)
  }
  const [name, value] = operator
  const reader = READERS.get(name)
  if (reader === undefined) return unknownOperator(name, OPERATORS, path, report)
  const rule = reader(value, `${path}.${name}`, report)
  return rule === null ? null : { written: JSON.stringify(entry), ...rule }
}

type Unwritten = Omit<Rule, 'written'>
type Reader = (value: unknown, path: string, report: Report) => Unwritten | null

const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ['exactly', (value, path, report) => withText(value, path, report, (text) => ({ test: oneOf([text]), equals: text }))],
  ['prefix', (value, path, report) => affix('prefix', value, path, report)],
  ['suffix', (value, path, report) => affix('suffix', value, path, report)],
  ['equals-ignore-case', (value, path, report) => textRule('equals-ignore-case', value, path, report)],
  ['wildcard', (value, path, report) => textRule('wildcard', value, path, report)],
  ['cidr', cidr],
  ['numeric', numeric],
  ['exists', exists],
  ['anything-but', anythingBut],
])

function valueRule(value: Scalar, path: string, report: Report): Rule | null {
  if (typeof value === 'number' && !Number.isFinite(value))
    return refuse(report, path, 'is a number that JSON has no text for', 'Use a finite number.')
  const rule = { written: JSON.stringify(value), test: equalsTest(value) }
  if (typeof value === 'number') return { ...rule, equals: value, numeric: true }
  return typeof value === 'string' && addressDigits(value) !== null ? rule : { ...rule, equals: value }
}

function affix(kind: 'prefix' | 'suffix', value: unknown, path: string, report: Report): Unwritten | null {
  if (!isObject(value)) return textRule(kind, value, path, report)
  const operator = only(value)
  if (operator?.[0] !== 'equals-ignore-case') {
    return refuse(
      report,
      path,
      'has an object in it that is not {"equals-ignore-case": text}',
      `Write {"${kind}": "text"} or {"${kind}": {"equals-ignore-case": "text"}}.`,
    )
  }
  return textRule(`${kind}-ignore-case`, operator[1], `${path}.equals-ignore-case`, report)
}

function textRule(operator: TextOperator, value: unknown, path: string, report: Report): Unwritten | null {
  return withText(value, path, report, (text) => {
    if (operator !== 'wildcard') return { test: textTest(operator, text) }
    const problem = wildcardProblem(text)
    if (problem !== null)
      return refuse(report, path, problem, 'Write one "*" for any run of characters, "\\*" for an asterisk, "\\\\" for a backslash.')
    return { test: textTest(operator, text), wildcards: [text] }
  })
}

function withText(value: unknown, path: string, report: Report, make: (text: string) => Unwritten | null): Unwritten | null {
  return typeof value === 'string'
    ? make(value)
    : refuse(report, path, `is ${nameOf(value)}, not a text`, 'This operator compares text only: put it in quotes.')
}

function cidr(value: unknown, path: string, report: Report): Unwritten | null {
  return withText(value, path, report, (text) => {
    const block = readBlock(text)
    if (typeof block === 'string') return refuse(report, path, block, 'Write it like "10.0.0.0/24" or "2001:db8::/32".')
    return { test: blockTest(block) }
  })
}

function exists(value: unknown, path: string, report: Report): Unwritten | null {
  if (value === true) return { test: () => true }
  if (value === false) return { test: () => false, absent: true }
  return refuse(report, path, `is ${nameOf(value)}, not true or false`, 'Write {"exists": true} or {"exists": false}.')
}

const NUMERIC_HINT =
  'Write ["=", 5], ["<", 5], ["<=", 5], [">", 5], [">=", 5], or a range with the lower end first, like [">", 0, "<=", 5].'

function numeric(value: unknown, path: string, report: Report): Unwritten | null {
  const bad = (what: string): null => refuse(report, path, what, NUMERIC_HINT)
  if (!Array.isArray(value)) return bad(`is ${nameOf(value)}, not an array`)
  const [operator, number, upperOperator, upper] = value as readonly unknown[]
  if (typeof operator !== 'string' || !['=', '<', '<=', '>', '>='].includes(operator)) return bad('does not begin with one of = < <= > >=')
  if (typeof number !== 'number' || !Number.isFinite(number)) return bad(`has ${nameOf(number)} where a finite number is expected`)
  const rule = (test: Test): Unwritten => ({ test, numeric: true })
  if (value.length === 2) {
    if (operator === '=') return rule(oneOf([number]))
    return rule(
      operator.startsWith('<') ? rangeTest(LOWEST, false, number, operator === '<') : rangeTest(number, operator === '>', HIGHEST, false),
    )
  }
  if (value.length !== 4) return bad(`has ${value.length} elements; 2 or 4 are taken`)
  if (operator !== '>' && operator !== '>=') return bad(`goes on after "${operator}"; a range begins with its lower end`)
  if (upperOperator !== '<' && upperOperator !== '<=') return bad('has no "<" or "<=" for its upper end')
  if (typeof upper !== 'number' || !Number.isFinite(upper)) return bad(`has ${nameOf(upper)} where a finite number is expected`)
  if (number >= upper) return bad(`is empty: ${number} is not below ${upper}`)
  return rule(rangeTest(number, operator === '>', upper, upperOperator === '<'))
}

const LOWEST = -Number.MAX_VALUE
const HIGHEST = Number.MAX_VALUE
const BUT: ReadonlyMap<string, TextOperator> = new Map<string, TextOperator>([
  ['prefix', 'prefix'],
  ['suffix', 'suffix'],
  ['equals-ignore-case', 'equals-ignore-case'],
  ['wildcard', 'wildcard'],
])
const BUT_HINT =
  'Write {"anything-but": value}, a list of texts or of numbers, or {"anything-but": {"prefix": text}} with prefix, suffix, equals-ignore-case or wildcard.'

function anythingBut(value: unknown, path: string, report: Report): Unwritten | null {
  if (isObject(value)) {
    const operator = only(value)
    if (operator === null) return refuse(report, path, 'has an object in it without exactly one operator', BUT_HINT)
    const [name, inner] = operator
    const textOperator = BUT.get(name)
    return textOperator === undefined
      ? unknownOperator(name, [...BUT.keys()], path, report)
      : butText(textOperator, inner, `${path}.${name}`, report)
  }
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (list.length === 0) return refuse(report, path, 'is an empty list', BUT_HINT)
  const kind = typeof list[0]
  if (kind !== 'string' && kind !== 'number')
    return refuse(report, path, `has ${nameOf(list[0])} in it; only texts or numbers are taken`, BUT_HINT)
  const odd = list.find((entry) => typeof entry !== kind || (typeof entry === 'number' && !Number.isFinite(entry)))
  if (odd !== undefined)
    return refuse(
      report,
      path,
      `mixes texts, numbers or other values`,
      'A list is all texts or all numbers: make two rules of it, or one list a kind.',
    )
  const test = noneOf([oneOf(list as readonly Scalar[])])
  return kind === 'number' ? { test, numeric: true } : { test }
}

function butText(operator: TextOperator, value: unknown, path: string, report: Report): Unwritten | null {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (list.length === 0) return refuse(report, path, 'is an empty list', BUT_HINT)
  const rules: Unwritten[] = []
  for (const entry of list) {
    if (entry === '' && (operator === 'prefix' || operator === 'suffix')) {
      return refuse(report, path, 'is empty, which would leave nothing', 'Give at least one character.')
    }
    const rule = textRule(operator, entry, path, report)
    if (rule === null) return null
    rules.push(rule)
  }
  const test = noneOf(rules.map((rule) => rule.test))
  return operator === 'wildcard' ? { test, wildcards: list as readonly string[] } : { test }
}

function unknownOperator(name: string, known: readonly string[], path: string, report: Report): null {
  const nearest = nearestName(name, known)
  const hint = nearest?.close === true ? `Did you mean "${nearest.name}"?` : `Known here: ${known.join(', ')}.`
  return refuse(report, path, `has no operator "${shortened(name)}"`, hint)
}

function refuse(report: Report, path: string, what: string, hint: string): null {
  report(path, what, hint)
  return null
}

function only(object: Readonly<Record<string, unknown>>): readonly [string, unknown] | null {
  const entries = Object.entries(object)
  return entries.length === 1 ? (entries[0] ?? null) : null
}

function isScalar(value: unknown): value is Scalar {
  return value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}

/** The kind of a value, with an article. */
export function nameOf(value: unknown): string {
  if (value === null) return 'null'
  if (value === undefined) return 'nothing'
  if (Array.isArray(value)) return 'an array'
  const names = new Map([
    ['string', 'a text'],
    ['number', 'a number'],
    ['boolean', 'true or false'],
    ['object', 'an object'],
  ])
  return names.get(typeof value) ?? 'no JSON'
}

/** A key for a message: keys can be any text of any length. */
export function shortened(name: string): string {
  return name.length <= 60 ? name : `${name.slice(0, 57)}...`
}

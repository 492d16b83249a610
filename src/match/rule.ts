/**
 * One rule of a clause: what a single value of an event must be. Compared as the official library of EventBridge compares (issue with
 * text: by code unit, no normalisation; numbers: as doubles). Tests are linear in the length of the value.
 */
import { addressTest } from './address.ts'
import { ignoreCase } from './ignore-case.ts'
import { wildcardOf } from './wildcard.ts'

/** A leaf of JSON. NaN stands for a number that no double holds: it is a value, but equals nothing. */
export type Scalar = string | number | boolean | null

export type Test = (value: Scalar) => boolean

/** What a clause lists: a value itself, an operator, or that there is nothing. */
export type Rule = {
  /** As JSON, for people. */
  readonly written: string
  readonly test: Test
  /** The value that the rule is equality with, so that many become one look-up. */
  readonly equals?: Scalar
  /** `exists: false`: holds where there is no value. */
  readonly absent?: true
  /** Whether the test looks at the digits of numbers. */
  readonly numeric?: true
  /** Wildcard texts in it. */
  readonly wildcards?: readonly string[]
}

/** Which texts a text operator takes. */
export type TextOperator = 'prefix' | 'suffix' | 'prefix-ignore-case' | 'suffix-ignore-case' | 'equals-ignore-case' | 'wildcard'

/** A value that stands for itself. An IP address stands for every way to write it. */
export function equalsTest(value: Scalar): Test {
  return (typeof value === 'string' ? addressTest(value) : null) ?? ((other) => other === value)
}

/** The test of an operator on text. Values that are no text fail it. */
export function textTest(operator: TextOperator, text: string): Test {
  switch (operator) {
    case 'prefix':
      return onText(withEnd(text, (value) => value.startsWith(text)))
    case 'suffix':
      return onText(withStart(text, (value) => value.endsWith(text)))
    case 'prefix-ignore-case': {
      const pattern = ignoreCase(text)
      return onText(withEnd(text, (value) => pattern.starts(value)))
    }
    case 'suffix-ignore-case': {
      const pattern = ignoreCase(text)
      return onText(withStart(text, (value) => pattern.ends(value)))
    }
    case 'equals-ignore-case':
      return onText(ignoreCase(text).equals)
    case 'wildcard':
      return onText(wildcardOf(text))
  }
}

/** Anything that is there, but none of these. */
export function noneOf(tests: readonly Test[]): Test {
  const [only] = tests
  if (tests.length === 1 && only !== undefined) return (value) => !only(value)
  return (value) => !tests.some((test) => test(value))
}

/** The values of a list, as one look-up. */
export function oneOf(values: readonly Scalar[]): Test {
  const [only] = values
  if (values.length === 1 && only !== undefined) return (value) => value === only
  // A set takes NaN for equal to NaN, `===` does not; NaN is never listed.
  const set: ReadonlySet<Scalar> = new Set(values)
  return (value) => set.has(value)
}

/** Numbers from `low` to `high`. */
export function rangeTest(low: number, lowOpen: boolean, high: number, highOpen: boolean): Test {
  return (value) => typeof value === 'number' && (lowOpen ? value > low : value >= low) && (highOpen ? value < high : value <= high)
}

/** One test for all rules of a clause; `absent` is no matter of a value. */
export function anyOf(rules: readonly Rule[]): Test {
  const equal: Scalar[] = []
  const others: Test[] = []
  for (const { equals, test, absent } of rules) {
    if (equals !== undefined) equal.push(equals)
    else if (absent === undefined) others.push(test)
  }
  if (equal.length > 0) others.unshift(oneOf(equal))
  const [first, second] = others
  if (first === undefined) return () => false
  if (second === undefined) return first
  return (value) => others.some((test) => test(value))
}

function onText(test: (value: string) => boolean): Test {
  return (value) => typeof value === 'string' && test(value)
}

/**
 * The library compares text with its quotes: `"abc"` is seen as `"` `a` `b` `c` `"`. A prefix that ends in a quote
 * can therefore take the closing one, a suffix that begins with a quote the opening one.
 */
function withEnd(text: string, test: (value: string) => boolean): (value: string) => boolean {
  return text.endsWith('"') ? (value) => test(`${value}"`) : test
}

function withStart(text: string, test: (value: string) => boolean): (value: string) => boolean {
  return text.startsWith('"') ? (value) => test(`"${value}`) : test
}

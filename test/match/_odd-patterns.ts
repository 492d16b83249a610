/** Patterns of which about half are none: operators with any operand, in any place. For the comparison of what is refused. */
import type { Chance } from './_pairs.ts'

const OPERATORS = [
  'prefix',
  'suffix',
  'equals-ignore-case',
  'wildcard',
  'anything-but',
  'numeric',
  'cidr',
  'exists',
  'exactly',
  'regex',
  'not',
  'Prefix',
  '$or',
  '=',
]
const TEXTS = [
  '',
  'a',
  'a*',
  '**',
  'a**b',
  '\\',
  '\\*',
  '\\a',
  'a\\',
  '*\\**',
  '10.0.0.0/8',
  '10.0.0.0/32',
  '10.0.0.0/0',
  '10.0.0/8',
  '10.0.0.1',
  '300.0.0.1/8',
  '::/0',
  '::1/127',
  '::1/128',
  '1::2::3/8',
  '2001:db8::/-1',
  '1.2.3.4/',
  '/8',
  '::ffff:1.2.3.4/8',
  '1.2.3.4/x',
  '1.2.3.4/8/9',
  '>',
  '<',
  '=',
  '>=',
]
const NUMBERS = [0, 1, -1, 5, 0.5, 1e21, 10]

export function oddPattern(chance: Chance): unknown {
  if (chance.in(2)) return chance.one<unknown>([null, [], 'a', 1, true, {}])
  return object(chance, 0, false)
}

function object(chance: Chance, depth: number, mayBeEmpty: boolean): Record<string, unknown> {
  const node: Record<string, unknown> = {}
  const count = mayBeEmpty && chance.in(10) ? 0 : 1 + chance.below(2)
  for (let index = 0; index < count; index++) {
    const key = chance.in(80) ? chance.one(['a', 'b', 'c.d', 'é']) : chance.in(60) ? '$or' : chance.one(OPERATORS)
    node[key] =
      key === '$or' && chance.in(75)
        ? Array.from({ length: 1 + chance.below(3) }, () => (chance.in(96) ? object(chance, depth + 1, true) : 1))
        : field(chance, depth)
  }
  return node
}

function field(chance: Chance, depth: number): unknown {
  if (depth < 2 && chance.in(20)) return object(chance, depth + 1, true)
  if (chance.in(6)) return operand(chance, 0)
  return Array.from({ length: chance.in(96) ? 1 + chance.below(2) : 0 }, () => entry(chance))
}

function entry(chance: Chance): unknown {
  if (chance.in(45))
    return chance.one<unknown>([
      chance.one(TEXTS),
      chance.one(NUMBERS),
      { prefix: 'a' },
      { exists: false },
      { 'anything-but': [1, 2] },
      null,
    ])
  if (chance.in(20)) return operand(chance, 0)
  const node: Record<string, unknown> = {}
  for (let index = 0; index < (chance.in(95) ? 1 : chance.below(3)); index++) {
    const operator = chance.one(OPERATORS)
    node[operator] =
      operator === 'numeric' && chance.in(70)
        ? numeric(chance)
        : operator === 'exists' && chance.in(60)
          ? chance.in(50)
          : operand(chance, 1)
  }
  return node
}

function numeric(chance: Chance): readonly unknown[] {
  const pair = (): readonly unknown[] => [
    chance.one(['=', '<', '<=', '>', '>=', '!=', 1]),
    chance.in(92) ? chance.one(NUMBERS) : chance.one(TEXTS),
  ]
  return chance.one([
    () => pair(),
    () => [...pair(), ...pair()],
    () => [chance.one(['>', '>=']), 1, chance.one(['<', '<=']), chance.one([1, 5, 0])],
    () => pair().slice(0, 1),
    () => [...pair(), 1],
    () => [],
  ])()
}

function operand(chance: Chance, depth: number): unknown {
  switch (chance.below(10)) {
    case 0:
      return chance.one(NUMBERS)
    case 1:
      return chance.one<unknown>([true, false, null])
    case 2:
      return Array.from({ length: chance.below(3) }, () => (depth < 2 ? operand(chance, depth + 1) : 'a'))
    case 3:
      return Array.from({ length: 1 + chance.below(2) }, () => chance.one(TEXTS))
    case 4:
      return depth < 3 ? { [chance.one(OPERATORS)]: operand(chance, depth + 1) } : {}
    default:
      return chance.one(TEXTS)
  }
}

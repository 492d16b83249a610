/**
 * Patterns and events for the comparison with the official library: small alphabets and few fields, so that near misses are
 * common; every operator with values made to fit and made to miss. The same seed gives the same pairs.
 */

/** A number as it is written in an event. */
class Written {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

export type Pair = { readonly pattern: string; readonly operators: readonly string[]; readonly events: readonly string[] }

/** Small, fast and seeded. */
export class Chance {
  #state: number
  constructor(seed: number) {
    this.#state = seed >>> 0
  }
  /** From 0 to below `n`. */
  below(n: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % n
  }
  one<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!
  }
  in(percent: number): boolean {
    return this.below(100) < percent
  }
}

/** A rule, with makers of values that it probably takes and probably does not. */
type Made = { readonly rule: unknown; readonly fit: () => unknown; readonly miss: () => unknown }
type Maker = (chance: Chance) => Made

const LETTERS = ['a', 'b', 'c', 'A', 'B', 'C', '-', '.', '"', 'é', 'É', 'ß', 'k', 'K', '😀', '?', '雨']

function text(chance: Chance, most = 4): string {
  return Array.from({ length: chance.below(most + 1) }, () => chance.one(LETTERS)).join('')
}
function filled(chance: Chance, most = 4): string {
  return chance.one(LETTERS) + text(chance, most - 1)
}
function otherCase(chance: Chance, value: string): string {
  return value
    .split('')
    .map((unit) => (chance.in(50) ? unit.toUpperCase() : chance.in(50) ? unit.toLowerCase() : unit))
    .join('')
}

const NUMBERS = [0, 1, -1, 2, 5, 10, 0.1, 0.5, -0.5, 1.5, 100, 1e3, 1e21, 1e-7, 123456789012, 9007199254740991, -273.15]

function numberText(chance: Chance, value: number): Written {
  const plain = String(value)
  const forms = [
    plain,
    plain,
    value.toExponential(),
    value.toExponential().replace('e+', 'E+'),
    Number.isInteger(value) && !plain.includes('e') ? `${plain}.0` : plain,
    value === 0 ? '-0' : plain,
  ]
  return new Written(chance.one(forms))
}
/** Some other number; now and then one that no double holds. */
function someNumber(chance: Chance): Written {
  if (chance.in(4))
    return new Written(
      chance.one(['9007199254740993', '0.1000000000000000055511151231257827', '1e400', '-1e400', '5.000000000000000000001']),
    )
  return numberText(chance, chance.one(NUMBERS) + chance.one([0, 0, 1, -1, 0.5]))
}

function someValue(chance: Chance): unknown {
  return chance.one([() => text(chance), () => someNumber(chance), () => true, () => false, () => null, () => address(chance)])()
}

function address(chance: Chance): string {
  if (chance.in(60))
    return `${chance.one(['10', '11', '192', '01'])}.${chance.one(['0', '1', '168'])}.${chance.below(3)}.${chance.one(['0', '1', '15', '16', '255', '256'])}`
  return chance.one([
    '::1',
    '0:0:0:0:0:0:0:1',
    '2001:db8::1',
    '2001:DB8:0::1',
    '2001:db9::',
    '::ffff:a00:1',
    '::ffff:0a00:0001',
    '0a00::1',
    '::',
    '1:2:3',
    ':',
    '1::2::3',
    '2001:db8:1:2:3:4:5:6',
    'fe80::ffff',
    '00001::1',
  ])
}

function affixed(chance: Chance, kind: 'prefix' | 'suffix', value: string): string {
  return kind === 'prefix' ? value + text(chance) : text(chance) + value
}

function wildcard(chance: Chance): { readonly written: string; readonly fit: () => string } {
  const parts = Array.from({ length: 1 + chance.below(4) }, (_, index, of = 0) =>
    index > 0 && of === 0 ? filled(chance, 2) : text(chance, 2),
  )
  const fill = (): string => parts.map((part, index) => (index === 0 ? part : text(chance, 3) + part)).join('')
  const escaped = chance.in(15) ? '\\*' : chance.in(5) ? '\\\\' : ''
  const plain = escaped === '' ? '' : escaped[1]!
  const open = chance.in(20) ? '*' : ''
  const last = parts.at(-1)!
  return {
    written: escaped + parts.join('*') + (last === '' && parts.length > 1 ? '' : open),
    fit: () => plain + fill() + (open === '' || (last === '' && parts.length > 1) ? '' : text(chance, 2)),
  }
}

function block(chance: Chance): { readonly written: string; readonly fit: () => string } {
  if (chance.in(60)) {
    const bits = chance.one([0, 4, 8, 12, 15, 16, 23, 24, 28, 31])
    const base = ['10', '1', '0', '16']
    return {
      written: `10.1.0.16/${bits}`,
      fit: () =>
        [
          ...base.slice(0, Math.floor(bits / 8)),
          ...base.slice(Math.floor(bits / 8)).map((byte) => (chance.in(60) ? byte : String(chance.below(256)))),
        ].join('.'),
    }
  }
  const bits = chance.one([0, 1, 16, 31, 32, 33, 48, 64, 100, 127])
  return {
    written: `2001:db8::/${bits}`,
    fit: () =>
      chance.one([
        '2001:db8::',
        '2001:db8::1',
        '2001:db8:ffff::',
        '2001:db9::1',
        '2001:db8:8000::',
        '32.1.13.184',
        '32.1.14.1',
        '2001:db8:0:0:0:0:0:0',
      ]),
  }
}

function but(kind: string, one: (chance: Chance) => unknown, near: (chance: Chance, value: unknown) => unknown, single = true): Maker {
  return (chance) => {
    const list = Array.from({ length: 1 + chance.below(3) }, () => one(chance))
    const value = single && list.length === 1 && chance.in(60) ? list[0] : list
    return {
      rule: { 'anything-but': kind === '' ? value : { [kind]: value } },
      fit: () => someValue(chance),
      miss: () => near(chance, chance.one(list)),
    }
  }
}

const range: Maker = (chance) => {
  const low = chance.one(NUMBERS)
  const value = numberBeside(chance, low)
  switch (chance.below(3)) {
    case 0:
      return { rule: { numeric: ['=', low] }, fit: () => numberText(chance, low), miss: () => someNumber(chance) }
    case 1:
      return {
        rule: { numeric: [chance.one(['<', '<=', '>', '>=']), low] },
        fit: () => numberBesideText(chance, low),
        miss: () => numberBesideText(chance, low),
      }
    default: {
      const [bottom, top] = low < value ? [low, value] : low > value ? [value, low] : [low, low + 1]
      const inside = (): unknown => numberText(chance, chance.one([bottom, top, (bottom + top) / 2, bottom + 1e-3, top - 1e-3]))
      return {
        rule: { numeric: [chance.one(['>', '>=']), bottom, chance.one(['<', '<=']), top] },
        fit: inside,
        miss: () => someNumber(chance),
      }
    }
  }
}
function numberBeside(chance: Chance, value: number): number {
  return value + chance.one([0, 0.25, 1, -0.25, -1, 7])
}
function numberBesideText(chance: Chance, value: number): Written {
  return numberText(chance, numberBeside(chance, value))
}

/** One maker an operator; their names are what is counted. */
export const MAKERS: ReadonlyMap<string, Maker> = new Map<string, Maker>([
  ['text', (chance) => ofValue(chance, text(chance), () => text(chance))],
  ['number', (chance) => ofValue(chance, chance.one(NUMBERS), () => someNumber(chance))],
  ['boolean', (chance) => ofValue(chance, chance.in(50), () => chance.one([true, false, 'true', null]))],
  ['null', (chance) => ofValue(chance, null, () => chance.one(['null', '', false, 0]))],
  ['address', (chance) => ofValue(chance, address(chance), () => address(chance))],
  ['exactly', (chance) => affixRule(chance, 'exactly', (value) => value)],
  ['prefix', (chance) => affixRule(chance, 'prefix', (value) => affixed(chance, 'prefix', value))],
  ['suffix', (chance) => affixRule(chance, 'suffix', (value) => affixed(chance, 'suffix', value))],
  ['prefix ignore case', (chance) => caseRule(chance, 'prefix', (value) => affixed(chance, 'prefix', value))],
  ['suffix ignore case', (chance) => caseRule(chance, 'suffix', (value) => affixed(chance, 'suffix', value))],
  ['equals-ignore-case', (chance) => affixRule(chance, 'equals-ignore-case', (value) => otherCase(chance, value))],
  [
    'wildcard',
    (chance) => {
      const { written, fit } = wildcard(chance)
      return { rule: { wildcard: written }, fit, miss: () => text(chance) }
    },
  ],
  [
    'anything-but texts',
    but(
      '',
      (chance) => text(chance, 2),
      (_, value) => value,
    ),
  ],
  [
    'anything-but numbers',
    but(
      '',
      (chance) => chance.one(NUMBERS),
      (chance, value) => numberText(chance, value as number),
    ),
  ],
  [
    'anything-but prefix',
    but(
      'prefix',
      (chance) => filled(chance, 2),
      (chance, value) => affixed(chance, 'prefix', value as string),
    ),
  ],
  [
    'anything-but suffix',
    but(
      'suffix',
      (chance) => filled(chance, 2),
      (chance, value) => affixed(chance, 'suffix', value as string),
    ),
  ],
  [
    'anything-but ignore case',
    but(
      'equals-ignore-case',
      (chance) => text(chance, 3),
      (chance, value) => otherCase(chance, value as string),
    ),
  ],
  [
    'anything-but wildcard',
    (chance) => {
      const { written, fit } = wildcard(chance)
      return { rule: { 'anything-but': { wildcard: chance.in(50) ? written : [written, 'a*'] } }, fit: () => someValue(chance), miss: fit }
    },
  ],
  ['numeric', range],
  [
    'cidr',
    (chance) => {
      const { written, fit } = block(chance)
      return { rule: { cidr: written }, fit, miss: () => address(chance) }
    },
  ],
  ['exists true', (chance) => ({ rule: { exists: true }, fit: () => someValue(chance), miss: () => ABSENT })],
  ['exists false', (chance) => ({ rule: { exists: false }, fit: () => ABSENT, miss: () => someValue(chance) })],
])

/** Instead of a value: nothing, or something that is no leaf. */
const ABSENT = Symbol('absent')

function ofValue(chance: Chance, value: unknown, miss: () => unknown): Made {
  return { rule: value, fit: () => (typeof value === 'number' ? numberText(chance, value) : value), miss }
}
function affixRule(chance: Chance, operator: string, fit: (value: string) => string): Made {
  const value = text(chance, 3)
  return { rule: { [operator]: value }, fit: () => fit(value), miss: () => text(chance) }
}
function caseRule(chance: Chance, operator: string, fit: (value: string) => string): Made {
  const value = text(chance, 3)
  return { rule: { [operator]: { 'equals-ignore-case': value } }, fit: () => otherCase(chance, fit(value)), miss: () => text(chance) }
}

type Node = { [key: string]: unknown }
type Wanted = { readonly path: readonly string[]; readonly made: readonly Made[] }

const KEYS = ['a', 'b', 'c', 'b-', 'constructor', '__proto__', 'length', 'é']

/** A pattern with `focus` in it, and events about it. */
export function pairFor(chance: Chance, focus: string, events: number): Pair {
  const operators = new Set([focus])
  const wanted: Wanted[] = []
  const names = [...MAKERS.keys()]
  const clause = (path: readonly string[], first?: string): unknown => {
    const count = chance.in(75) ? 1 : 2 + chance.below(2)
    const made = Array.from({ length: count }, (_, index) => {
      const name = index === 0 && first !== undefined ? first : chance.one(names)
      operators.add(name)
      return MAKERS.get(name)!(chance)
    })
    wanted.push({ path, made })
    return made.map(({ rule }) => rule)
  }
  const object = (path: readonly string[], depth: number, first?: string): Node => {
    const node = emptyNode()
    const count = 1 + chance.below(depth === 0 ? 3 : 2)
    for (let index = 0; index < count; index++) {
      let key = chance.in(85) ? chance.one(KEYS.slice(0, 3)) : chance.one(KEYS)
      if (chance.in(6)) key = `${key}.${chance.one(KEYS)}`
      const mine = index === 0 ? first : undefined
      const deeper = depth < 3 && chance.in(45)
      set(node, key, deeper ? object([...path, key], depth + 1, mine) : clause([...path, key], mine))
    }
    if (depth < 3 && chance.in(12)) {
      operators.add('$or')
      set(
        node,
        '$or',
        Array.from({ length: 2 + chance.below(2) }, () => object(path, depth + 1)),
      )
    }
    return node
  }
  const pattern = focus === '$or' ? orPattern(chance, object) : object([], 0, focus === 'arrays' ? undefined : focus)
  if (focus === 'arrays' || chance.in(20)) operators.add('arrays')
  return {
    pattern: JSON.stringify(pattern),
    operators: [...operators],
    events: Array.from({ length: events }, () => written(eventFor(chance, wanted, operators.has('arrays')))),
  }
}

function orPattern(chance: Chance, object: (path: readonly string[], depth: number) => Node): Node {
  const node = chance.in(50) ? object([], 2) : emptyNode()
  set(
    node,
    '$or',
    Array.from({ length: 2 + chance.below(3) }, () => object([], chance.below(2) + 1)),
  )
  return node
}

/** An event that has what the clauses ask for, mostly: something misses, is absent, or is in another element of an array. */
function eventFor(chance: Chance, wanted: readonly Wanted[], arrays: boolean): Node {
  const root = emptyNode()
  const fitting = chance.one([100, 100, 85, 50])
  for (const { path, made } of wanted) {
    const one = chance.one(made)
    put(
      chance,
      root,
      path.flatMap((key) => (chance.in(90) ? key.split('.') : [key])),
      chance.in(fitting) ? one.fit() : chance.in(70) ? one.miss() : someValue(chance),
      arrays,
    )
  }
  return root
}

function put(chance: Chance, node: Node, path: readonly string[], value: unknown, arrays: boolean): void {
  let [key = '', ...rest] = path
  if (rest.length > 0 && chance.in(4)) [key, rest] = [`${key}.${rest[0]}`, rest.slice(1)]
  const here = Object.hasOwn(node, key) ? node[key] : undefined
  if (rest.length === 0) {
    if (value === ABSENT) {
      if (chance.in(20)) set(node, key, chance.one([emptyNode(), [], [[]], { z: 1 }]))
      return
    }
    const several = arrays || chance.in(10)
    if (Array.isArray(here) && here.length < 6) here.push(chance.in(80) ? value : [value])
    else if (here !== undefined && chance.in(60)) set(node, key, [here, value])
    else
      set(node, key, several && chance.in(40) ? chance.one([[value], [someValue(chance), value], [[value]], [value, { z: value }]]) : value)
    return
  }
  if (Array.isArray(here)) return put(chance, elementOf(chance, here), rest, value, arrays)
  if (isNode(here)) {
    if (!arrays || chance.in(70)) return put(chance, here, rest, value, arrays)
    set(node, key, [here])
    return put(chance, elementOf(chance, node[key] as unknown[]), rest, value, arrays)
  }
  const fresh = emptyNode()
  set(node, key, arrays && chance.in(50) ? (chance.in(15) ? [[fresh]] : [fresh]) : fresh)
  if (here !== undefined && chance.in(50)) set(node, key, [here, fresh])
  put(chance, fresh, rest, value, arrays)
}

function elementOf(chance: Chance, array: unknown[]): Node {
  const nodes = array.flatMap((element) => (Array.isArray(element) ? (element as unknown[]) : [element])).filter(isNode)
  if (nodes.length > 0 && chance.in(65)) return chance.one(nodes)
  const fresh = emptyNode()
  if (array.length < 5) array.push(chance.in(90) ? fresh : [fresh])
  return array.length < 5 || nodes.length === 0 ? fresh : chance.one(nodes)
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Written)
}
function emptyNode(): Node {
  return Object.create(null) as Node
}
function set(node: Node, key: string, value: unknown): void {
  Object.defineProperty(node, key, { value, enumerable: true, writable: true, configurable: true })
}

function written(value: unknown): string {
  if (value instanceof Written) return value.text
  if (Array.isArray(value)) return `[${value.map(written).join(',')}]`
  if (isNode(value))
    return `{${Object.entries(value)
      .map(([key, inner]) => `${JSON.stringify(key)}:${written(inner)}`)
      .join(',')}}`
  return JSON.stringify(value)
}

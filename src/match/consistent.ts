/**
 * Arrays of objects: clauses about the same array have to hold in the same element, as on AWS. `exists: false` looks at the element that
 * clauses before it (by name) have settled on, and at all elements while none is settled.
 *
 * The clauses are gone through by name with the set of all ways in which those before can hold: a way is the element chosen
 * of each array. Arrays that no later clause is about are forgotten, so ways do not multiply; what still grows beyond a bound, which takes an
 * event made for it, is given up as no match.
 */
import { eachValue } from './field.ts'
import type { Field, Place } from './field.ts'
import type { Test } from './rule.ts'

export type ArrayClause = { readonly field: Field; readonly test: Test; readonly absent: boolean }

/** What may still be spent on an event, for all patterns together. At 0 it is given up, as no match. */
export type Steps = { left: number }
/** Real events take a few dozen; all of them take well under a second. */
export const MAX_STEPS = 1_000_000
/** What it costs to keep a way, in steps that only look. */
const KEEPING = 10

/** Whether all clauses (sorted by name) hold together in the event. */
export function holdTogether(clauses: readonly ArrayClause[], event: unknown, steps: Steps = { left: MAX_STEPS }): boolean {
  if (steps.left <= 0) return false
  const found = clauses.map((clause) => valuesOf(clause, event))
  for (const values of found) steps.left -= values.groups.length
  const lastUse = lastUses(found)
  const numbers: Numbers = new Map()
  let ways: readonly Way[] = [NOWHERE]
  for (const [index, clause] of clauses.entries()) {
    const values = found[index]
    if (values === undefined) return false
    const next = new Map<string, Way>()
    const add = (way: Way): unknown => next.set(...keyed(way, lastUse, index, numbers))
    for (const way of ways) {
      let present = false
      for (const { within, passes } of values.near(way)) {
        if (--steps.left <= 0) return false
        const together = joined(way, within)
        if (together === null) continue
        present = true
        if (!passes) continue
        steps.left -= KEEPING
        add(together)
      }
      if (clause.absent && !present) add(way)
    }
    if (next.size === 0) return false
    ways = [...next.values()]
  }
  return true
}

/** The element chosen of each array. */
type Way = ReadonlyMap<object, number>
const NOWHERE: Way = new Map()

/** Values that are in the same elements are one: only whether any of them passes matters. */
type Group = { readonly within: Place | null; passes: boolean }

class Values {
  readonly groups: Group[] = []
  readonly #inside = new Map<object, Inside>()
  /** By array: the groups that are not in it. */
  readonly #outside = new Map<object, readonly Group[]>()

  add(group: Group): void {
    this.groups.push(group)
    for (let place = group.within; place !== null; place = place.outer) {
      const inside = this.#inside.get(place.array) ?? { count: 0, elements: new Map<number, Group[]>() }
      this.#inside.set(place.array, inside)
      inside.count++
      const groups = inside.elements.get(place.index)
      if (groups === undefined) inside.elements.set(place.index, [group])
      else groups.push(group)
    }
  }

  arrays(): Iterable<object> {
    return this.#inside.keys()
  }

  /** The groups that a way may agree with: those of its innermost chosen element, and those outside that array. */
  near(way: Way): readonly Group[] {
    let nearest: readonly Group[] = this.groups
    for (const [array, index] of way) {
      const inside = this.#inside.get(array)
      if (inside === undefined) continue
      const chosen = inside.elements.get(index) ?? []
      // Counted first: to find those outside means to go through all, for each of perhaps very many arrays.
      const outside = this.groups.length - inside.count
      if (chosen.length + outside < nearest.length) nearest = outside === 0 ? chosen : [...chosen, ...this.#outsideOf(array, inside)]
    }
    return nearest
  }

  #outsideOf(array: object, { elements }: Inside): readonly Group[] {
    const known = this.#outside.get(array)
    if (known !== undefined) return known
    const inside = new Set([...elements.values()].flat())
    const outside = this.groups.filter((group) => !inside.has(group))
    this.#outside.set(array, outside)
    return outside
  }
}

/** The groups in an array, by element. */
type Inside = { count: number; readonly elements: Map<number, Group[]> }

function valuesOf({ field, test }: ArrayClause, event: unknown): Values {
  const values = new Values()
  const known = new Map<Place | null, Group>()
  eachValue(field, event, (value, within) => {
    const group = known.get(within)
    if (group !== undefined) group.passes ||= test(value)
    else {
      const fresh = { within, passes: test(value) }
      known.set(within, fresh)
      values.add(fresh)
    }
  })
  return values
}

/** By array: the last clause that is about it. */
function lastUses(found: readonly Values[]): ReadonlyMap<object, number> {
  const uses = new Map<object, number>()
  for (const [index, values] of found.entries()) for (const array of values.arrays()) uses.set(array, index)
  return uses
}

/** Both choices, or null where they chose different elements of one array. */
function joined(way: Way, within: Place | null): Way | null {
  let more: Map<object, number> | null = null
  for (let place = within; place !== null; place = place.outer) {
    const chosen = way.get(place.array)
    if (chosen === undefined) more = (more ?? new Map(way)).set(place.array, place.index)
    else if (chosen !== place.index) return null
  }
  return more ?? way
}

/** Ways that differ only in arrays nobody asks for any more are one. */
function keyed(way: Way, lastUse: ReadonlyMap<object, number>, index: number, numbers: Numbers): [string, Way] {
  const open = [...way].filter(([array]) => (lastUse.get(array) ?? -1) > index)
  const kept = open.length === way.size ? way : new Map(open)
  const key = open.map(([array, element]) => `${numberOf(array, numbers)}:${element}`)
  return [key.sort().join(' '), kept]
}

/** Arrays have no names: each gets a number when it is first met. */
type Numbers = Map<object, number>

function numberOf(array: object, numbers: Numbers): number {
  const number = numbers.get(array) ?? numbers.size
  numbers.set(array, number)
  return number
}

/** Finds what somebody who mistyped a name most likely meant. Case is ignored; ties go to the earlier candidate. */

export type Nearest = {
  readonly name: string
  /** True when it is plausibly a slip of the same word rather than merely the least different one. */
  readonly close: boolean
}

/** The candidate nearest to a name; null only when there are no candidates. */
export function nearestName(name: string, candidates: Iterable<string>): Nearest | null {
  // A key can be any text; a long one is no slip, and distance costs the product of the lengths.
  const typed = name.toLowerCase().slice(0, 80)
  let best: { name: string; distance: number } | null = null
  for (const candidate of candidates) {
    const distance = distanceOf(typed, candidate.toLowerCase())
    if (best === null || distance < best.distance) best = { name: candidate, distance }
  }
  return best === null ? null : { name: best.name, close: best.distance <= Math.max(1, Math.floor(typed.length / 3)) }
}

/** The `n` candidates nearest to a name, nearest first; of very many only the first are looked at. */
export function nearestNames(name: string, candidates: Iterable<string>, n: number): readonly string[] {
  const typed = name.toLowerCase().slice(0, 80)
  const best: { readonly name: string; readonly distance: number }[] = []
  let looked = 0
  for (const candidate of new Set(candidates)) {
    if (++looked > MAX_CANDIDATES) break
    const distance = distanceOf(typed, candidate.toLowerCase().slice(0, 80))
    if (best.length === n && distance >= (best.at(-1)?.distance ?? Infinity)) continue
    const at = best.findIndex((other) => other.distance > distance)
    best.splice(at < 0 ? best.length : at, 0, { name: candidate, distance })
    if (best.length > n) best.pop()
  }
  return best.map((one) => one.name)
}

const MAX_CANDIDATES = 5_000

/**
 * Edits between two words: insert, remove, replace or swap two neighbours; 1 when one word begins with the other
 * (`timeout` for `timeoutMs`).
 */
function distanceOf(left: string, right: string): number {
  if (left === right) return 0
  if (Math.min(left.length, right.length) >= 3 && (left.startsWith(right) || right.startsWith(left))) return 1
  let beforeLast: number[] = []
  let last = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let row = 1; row <= left.length; row++) {
    const current = [row]
    for (let column = 1; column <= right.length; column++) {
      const same = left[row - 1] === right[column - 1]
      let cost = Math.min(at(last, column) + 1, at(current, column - 1) + 1, at(last, column - 1) + (same ? 0 : 1))
      const swapped = row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1]
      if (swapped) cost = Math.min(cost, at(beforeLast, column - 2) + 1)
      current.push(cost)
    }
    beforeLast = last
    last = current
  }
  return at(last, right.length)
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Infinity
}

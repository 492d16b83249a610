/**
 * About how many beginnings of wildcard texts an unlucky value can keep open at once: what makes wildcards expensive on AWS, and what AWS
 * refuses above a number that it does not publish. Here it costs nothing, so it is only a warning.
 *
 * Found by walking every set of positions that a value can lead to, up to a bound; beyond that it is called too complex.
 */

/** Sets of positions looked at; texts that AWS would take have far fewer. */
const MAX_SETS = 500

/** The complexity of the wildcard texts of one field, or `limit + 1` when it is above the limit or cannot be told within the bound. */
export function complexityOf(texts: readonly string[], limit: number): number {
  const tokens = texts.map(tokensOf)
  const units = new Set(tokens.flat().filter((token) => token !== STAR))
  const start = closed(
    tokens,
    tokens.map((_, index) => [index, 0] as const),
  )
  const seen = new Set([keyOf(start)])
  let most = 0
  for (let queue = [start]; queue.length > 0;) {
    const next: (readonly Position[])[] = []
    for (const positions of queue) {
      for (const unit of [...units, OTHER]) {
        const reached = step(tokens, positions, unit)
        const key = keyOf(reached)
        if (seen.has(key)) continue
        most = Math.max(most, sizeOf(tokens, reached))
        if (seen.size >= MAX_SETS || most > limit) return limit + 1
        seen.add(key)
        next.push(reached)
      }
    }
    queue = next
  }
  return most
}

/** Which text, and how many of its tokens are behind. */
type Position = readonly [text: number, at: number]

const STAR = '*'
/** A character that no text has. */
const OTHER = ''

/** Characters, and `*` for a wildcard; an escaped asterisk is two units long, so that it is no wildcard. */
function tokensOf(text: string): readonly string[] {
  return text.match(/\\.|[^]/gs) ?? []
}

function step(tokens: readonly (readonly string[])[], positions: readonly Position[], unit: string): readonly Position[] {
  const reached: Position[] = []
  for (const [text, at] of positions) {
    const token = tokens[text]?.[at]
    if (token === STAR) reached.push([text, at])
    else if (token !== undefined && token === unit) reached.push([text, at + 1])
  }
  return closed(tokens, reached)
}

/** A wildcard may stand for nothing: with the place before it goes the place after it. */
function closed(tokens: readonly (readonly string[])[], positions: readonly Position[]): readonly Position[] {
  const all = new Map<string, Position>()
  for (const [text, at] of positions) {
    all.set(`${text}:${at}`, [text, at])
    if (tokens[text]?.[at] === STAR) all.set(`${text}:${at + 1}`, [text, at + 1])
  }
  return [...all.values()]
}

/** The place behind a wildcard counts only where the text is at its end: before a character it is the wildcard's own. */
function sizeOf(tokens: readonly (readonly string[])[], positions: readonly Position[]): number {
  return positions.filter(([text, at]) => tokens[text]?.[at - 1] !== STAR || tokens[text]?.[at] === undefined).length
}

function keyOf(positions: readonly Position[]): string {
  return positions
    .map(([text, at]) => `${text}:${at}`)
    .sort()
    .join(' ')
}

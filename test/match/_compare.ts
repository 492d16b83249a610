/** Our answers beside those of the official library, and which differences are explained. */
import { compile } from '../../src/match/matcher.ts'
import type { Matcher } from '../../src/match/matcher.ts'
import { parseEnvelope } from '../../src/match/exact-numbers.ts'
import { problemsOf } from '../../src/match/read-pattern.ts'
import { apart } from './_apart.ts'
import type { Oracle, Verdict } from './oracle/oracle.ts'
import type { Pair } from './_pairs.ts'

export type Comparison = {
  readonly pairs: number
  /** By operator: pairs that match and that do not. */
  readonly counts: ReadonlyMap<string, { matching: number; other: number }>
  /** What nothing explains. */
  readonly differences: readonly string[]
  /** By explanation. */
  readonly explained: ReadonlyMap<string, number>
}

/** Events on which the library answers otherwise than we do. */
type Disputed = { readonly pair: Pair; readonly events: readonly { readonly event: string; readonly ours: boolean }[] }

/** Patterns that the library is asked about again; more means that something is wrong. */
const MOST_DISPUTED = 200

/** Most parts that a pattern is taken apart into to find who is right. */
const MOST_PARTS = 3_000

export async function compare(oracle: Oracle, pairs: readonly Pair[]): Promise<Comparison> {
  const verdicts = await oracle.judge(pairs)
  const counts = new Map<string, { matching: number; other: number }>()
  const differences: string[] = []
  const explained = new Map<string, number>()
  const explain = (why: string): unknown => explained.set(why, (explained.get(why) ?? 0) + 1)
  const disputed: Disputed[] = []
  for (const [index, pair] of pairs.entries()) {
    const verdict = verdicts[index]!
    const matcher = tryCompile(pair.pattern)
    if (matcher === null && tooManyCombinations(pair.pattern)) explain('more combinations of $or than AWS takes; the library has no limit')
    else if (matcher === null && verdict.refusal === null && NO_BUT.test(pair.pattern))
      explain('a list of nothing, which the library ignores or fails on')
    else if ((verdict.refusal === null) !== (matcher !== null) && !crashed(verdict)) {
      differences.push(`${matcher === null ? 'we refuse' : 'it refuses'} ${pair.pattern} ${verdict.refusal ?? ''}`)
    }
    if (matcher === null) continue
    if (verdict.disagreements > 0) explain('the two finders of the library disagree')
    const odd: { event: string; ours: boolean }[] = []
    for (const [at, event] of pair.events.entries()) {
      const ours = matches(matcher, event)
      for (const operator of pair.operators) {
        const count = counts.get(operator) ?? { matching: 0, other: 0 }
        counts.set(operator, count)
        if (ours) count.matching++
        else count.other++
      }
      if (verdict.matches[at] !== ours) odd.push({ event, ours })
    }
    if (odd.length > 0) disputed.push({ pair, events: odd })
  }
  await settle(oracle, disputed, explain, differences)
  return { pairs: pairs.reduce((sum, { events }) => sum + events.length, 0), counts, differences, explained }
}

/** Asks the library about the parts of disputed patterns. */
async function settle(
  oracle: Oracle,
  disputed: readonly Disputed[],
  explain: (why: string) => unknown,
  differences: string[],
): Promise<void> {
  const asked = disputed.slice(0, MOST_DISPUTED).map(({ pair, events }) => ({ pair, events, parts: apart(pair.pattern, MOST_PARTS) ?? [] }))
  const verdicts = await oracle.judge(
    asked.flatMap(({ events, parts }) => parts.map((pattern) => ({ pattern, events: events.map(({ event }) => event) }))),
  )
  let from = 0
  for (const { pair, events, parts } of asked) {
    const judged = verdicts.slice(from, (from += parts.length))
    for (const [at, { event, ours }] of events.entries()) {
      const theirs = judged.some(({ matches }) => matches[at] === true)
      const sound = judged.length > 0 && judged.every(({ refusal }) => refusal === null)
      if (sound && theirs === ours) explain('the library contradicts its own parts')
      else if (numberAsAddress(pair.pattern, event)) explain('the library takes the text of a number for digits of an address')
      else differences.push(`ours ${ours} ${pair.pattern} ${event}`)
    }
  }
  for (const { pair } of disputed.slice(MOST_DISPUTED)) differences.push(pair.pattern)
}

export function tryCompile(pattern: string): Matcher | null {
  try {
    return compile(JSON.parse(pattern))
  } catch (error) {
    if ((error as { code?: unknown }).code === 'match.bad_pattern') return null
    throw error
  }
}

export function matches(matcher: Matcher, event: string): boolean {
  return matcher.matches(parseEnvelope(event, true))
}

function tooManyCombinations(pattern: string): boolean {
  return problemsOf(JSON.parse(pattern)).some(({ what }) => what.includes('combinations'))
}

const NO_BUT = /"anything-but":\{"[a-z-]+":\[\]\}/

/** An exception out of the depths of the library is no refusal; its parts are asked instead. */
function crashed({ refusal }: Verdict): boolean {
  return refusal?.startsWith('java.lang.') === true
}

/** A number in the event, and an address or a block in the pattern: `12` begins like an address of hexadecimal digits. */
function numberAsAddress(pattern: string, event: string): boolean {
  return /[:[,]-?\d/.test(event) && (pattern.includes('"cidr"') || /"\d+\.\d+\.\d+\.\d+"|"[0-9A-Fa-f]*:[0-9A-Fa-f:]*"/.test(pattern))
}

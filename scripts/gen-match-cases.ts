/**
 * Writes test/match/cases.json: patterns and events with the answers of the official library, for where it cannot be had. Needs Java and
 * Maven: `node scripts/gen-match-cases.ts`.
 */
import { writeFileSync } from 'node:fs'
import { Chance, MAKERS, pairFor } from '../test/match/_pairs.ts'
import { oddPattern } from '../test/match/_odd-patterns.ts'
import { openOracle } from '../test/match/oracle/oracle.ts'

const oracle = openOracle()
if (typeof oracle === 'string') throw new Error(oracle)
const chance = new Chance(4_680)
const pairs = [...MAKERS.keys(), '$or', 'arrays'].flatMap((operator) => Array.from({ length: 8 }, () => pairFor(chance, operator, 5)))
const odd = Array.from({ length: 150 }, () => ({ pattern: JSON.stringify(oddPattern(chance)), events: [] }))
const questions = [...pairs.filter(({ pattern }) => pattern.length < 250), ...odd]
const unique = [...new Map(questions.map((question) => [question.pattern, question])).values()]
const verdicts = await oracle.judge(unique)
const cases = unique.map(({ pattern, events }, index) => {
  const { refusal, matches } = verdicts[index]!
  const that = (answer: boolean): readonly string[] => events.filter((_, at) => matches[at] === answer)
  return { pattern, taken: refusal === null, matching: that(true), others: that(false) }
})
writeFileSync(new URL('../test/match/cases.json', import.meta.url), `[\n${cases.map((one) => `  ${JSON.stringify(one)}`).join(',\n')}\n]\n`)

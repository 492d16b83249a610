/**
 * `trunkline test`: events from files beside the configuration, and what is expected of each on each route. Nothing is started, sent or
 * written, and no function of a sink is run. Exit code 1 when something came out otherwise, 2 when a test is wrong itself.
 */
import { dirname } from 'node:path'
import { Command, Option } from 'commander'
import type { Rehearsal, Rehearsed } from '../../hosts/rehearsal.ts'
import { paintFor, print, printJson, printProblem, type Context, type Paint, type Problem } from '../context.ts'
import { differencesOf, sizeOf, type Difference, type Expectation } from '../expectation.ts'
import { FAILED, OK, USAGE } from '../failure.ts'
import { count } from '../format.ts'
import { configOf } from '../loading.ts'
import { withExamples, withJson } from '../options.ts'
import { readTestFile, testFilesOf, type TestFile } from '../test-file.ts'
import { escapeText, safe } from '../text.ts'

type Options = { readonly json?: true; readonly config?: string }

export function testCommand(context: Context): Command {
  const command = new Command('test')
    .description('say whether events end on each route as test files expect; offline, no sink is called (this runs the configuration file)')
    .argument('[files...]', 'test files, or folders with *.test.json; otherwise the folder tests beside the configuration')
    .addOption(new Option('--config <file>', 'the configuration file (TRUNKLINE_CONFIG; otherwise trunkline.config.* here)'))
    .action((names: readonly string[], options: Options) => test(context, names, options))
  return withExamples(withJson(command), 'trunkline test', 'trunkline test tests/queues.test.json', 'trunkline test --json')
}

/** One event of a test: where it is from, what was expected, what came out. */
type Judged = {
  readonly from: string | null
  readonly got: Rehearsed
  readonly expectation: Expectation
  readonly differences: readonly Difference[]
}

type Ran = { readonly test: TestFile; readonly events: readonly Judged[] }

async function test(context: Context, names: readonly string[], options: Options): Promise<void> {
  const config = await configOf(context, options)
  if (config === null) return
  const { Rehearsal, REHEARSED_OUTCOMES } = await import('../../hosts/rehearsal.ts')
  const base = config.file === null ? context.io.cwd : dirname(config.file)
  const vocabulary = { routes: config.routes.map(({ name }) => name), outcomes: REHEARSED_OUTCOMES }
  const problems: Problem[] = []
  const tests: TestFile[] = []
  for (const path of testFilesOf(context, names, base)) {
    const read = await readTestFile(context, path, base, vocabulary, problems)
    if (read !== null) tests.push(read)
  }
  const rehearsal = await Rehearsal.open(config, (code, message) =>
    printProblem(context, { code, message: `warning: ${message}`, hint: '' }),
  )
  const ran: Ran[] = []
  for (const one of tests) {
    const events = await judge(rehearsal, one, context.io.clock.nowMs(), problems)
    ran.push({ test: one, events })
  }
  if (problems.length > 0) {
    context.exitCode = USAGE
    if (options.json === true) printJson(context, { ok: false, problems })
    else for (const problem of problems) printProblem(context, problem)
    return
  }
  context.exitCode = ran.every(passed) ? OK : FAILED
  if (options.json === true) printJson(context, dataOf(ran))
  else report(context, ran)
}

/** Runs a test. Events and expectations that do not go together are a problem of the test. */
async function judge(rehearsal: Rehearsal, one: TestFile, nowMs: number, problems: Problem[]): Promise<readonly Judged[]> {
  const records = one.entries.flatMap((entry) => entry.records)
  const outcomes = await rehearsal.run(
    records.map(({ bytes }) => bytes),
    nowMs,
  )
  const report = (what: string, hint: string): unknown => problems.push({ code: 'test.bad_file', message: `${one.file}: ${what}`, hint })
  const came = outcomes.map((ofRecord, index) => ofRecord.map((got) => ({ from: records[index]?.from ?? null, got })))
  let before = 0
  const all = one.entries.map((entry, index) => ({ index, entry, results: came.slice(before, (before += entry.records.length)).flat() }))
  const total = all.reduce((sum, { entry, results }) => sum + (entry.expect === null ? results.length : 0), 0)
  if (Array.isArray(one.expect) && one.expect.length !== total)
    report(
      `expect lists ${one.expect.length}, and ${count(total, 'event')} ${total === 1 ? 'has' : 'have'} no expectation of their own`,
      LIST,
    )
  let place = 0
  return all.flatMap(({ index, entry, results }) => {
    const { expect } = entry
    if (Array.isArray(expect) && expect.length !== results.length)
      report(
        `events[${index}].expect lists ${expect.length}, but there ${results.length === 1 ? 'is' : 'are'} ${count(results.length, 'event')}`,
        LIST,
      )
    return results.flatMap(({ from, got }, n): Judged[] => {
      const expectation = expect === null ? nth(one.expect, place++) : nth(expect, n)
      if (expectation === null) {
        if (expect === null && one.expect === null)
          report(`events[${index}] has no expectation, so nothing could fail`, 'Give it "expect", or the test.')
        return []
      }
      return [{ from, got, expectation, differences: differencesOf(expectation, got) }]
    })
  })
}

const LIST = 'A list has one expectation for each event; an object stands for all of them.'

function nth(expectations: TestFile['expect'], index: number): Expectation | null {
  return Array.isArray(expectations) ? ((expectations as readonly Expectation[])[index] ?? null) : (expectations as Expectation | null)
}

function passed({ events }: Ran): boolean {
  return events.every(({ differences }) => differences.length === 0)
}

function report(context: Context, ran: readonly Ran[]): void {
  const paint = paintFor(context)
  for (const one of ran) {
    const { file, name } = one.test
    const title = `${safe`${file}`}${name === null ? '' : safe`: ${name}`}`
    if (passed(one)) print(context, `${paint('green', 'passed')}  ${title} (${count(one.events.length, 'event')})`)
    else print(context, `${paint('red', 'FAILED')}  ${title}`)
    one.events.forEach((event, index) => {
      if (event.differences.length > 0) for (const line of linesOf(event, index, paint)) print(context, line)
    })
  }
  const good = ran.filter(passed).length
  const expected = ran.flatMap(({ events }) => events)
  const outcomes = expected.reduce((sum, { expectation }) => sum + sizeOf(expectation), 0)
  const wrong = expected.reduce((sum, { differences }) => sum + differences.length, 0)
  const tests = `${count(good, 'test')} passed, ${ran.length - good} failed`
  print(context, `${tests}; ${outcomes - wrong} of ${count(outcomes, 'expected outcome')} came out`)
}

function linesOf({ from, got, differences }: Judged, index: number, paint: Paint): string[] {
  const about = got.ok ? [got.event.topic, got.event.envelopeId === null ? null : `id ${got.event.envelopeId}`] : ['no event']
  const parts = [...about, from === null ? null : `from ${from}`].filter((part) => part !== null)
  return [
    `  ${paint('bold', `event ${index + 1}`)}  ${escapeText(parts.join(', '))}`,
    ...differences.flatMap(({ route, expected, got: found, why }) => [
      `    ${route === null ? '' : safe`${route}: `}expected ${paint('green', escapeText(expected))}, got ${paint('red', escapeText(found))}`,
      `      why: ${escapeText(why)}`,
    ]),
  ]
}

/** Everything that came out, also where nothing was expected: to write expectations from. */
function dataOf(ran: readonly Ran[]): unknown {
  return {
    ok: ran.every(passed),
    tests: ran.map((one) => ({
      file: one.test.file,
      name: one.test.name,
      ok: passed(one),
      events: one.events.map(({ from, got, differences }, index) => ({
        event: index + 1,
        from,
        ...(got.ok
          ? { id: got.event.envelopeId, topic: got.event.topic, routes: got.routes }
          : { quarantined: { code: got.code, message: got.message } }),
        differences,
      })),
    })),
  }
}

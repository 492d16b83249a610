/**
 * `trunkline test`: events from files beside the configuration, and what is expected of each on each route. Nothing is started, sent or
 * written, and no function of a sink is run. Exit code 1 when something came out otherwise, 2 when a test is wrong itself.
 */
import { dirname } from 'node:path'
import type { Config } from '../../config/config.ts'
import { type NamedThings, type NameUse, resolveNames, shownUse } from '../../config/names.ts'
import { KNOWN_TOPICS } from '../../event/known-topics.ts'
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

/** `names`: of each route that is written with names, what they came to. */
type Ran = { readonly test: TestFile; readonly names: readonly RouteNames[]; readonly events: readonly Judged[] }
type RouteNames = { readonly route: string; readonly names: readonly NameUse[] }

async function test(context: Context, names: readonly string[], options: Options): Promise<void> {
  const config = await configOf(context, options)
  if (config === null) return
  const [{ Rehearsal, REHEARSED_OUTCOMES }, { keptNames }] = await Promise.all([
    import('../../hosts/rehearsal.ts'),
    import('../../hosts/kept-names.ts'),
  ])
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
  const kept = keptNames(config.dataDir)
  for (const one of tests) {
    const things = thingsIn(one, kept)
    const names = namesIn(config, things, one, problems)
    const events = await judge(rehearsal, one, { nowMs: context.io.clock.nowMs(), things }, problems)
    ran.push({ test: one, names, events })
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

/** What names mean: as the test says, else as a service in the data directory knew it. */
function thingsIn({ names }: TestFile, kept: NamedThings): NamedThings {
  const own = (kind: 'queues' | 'divisions'): Set<string> => new Set(names[kind].map(({ name }) => name))
  const queues = own('queues')
  const divisions = own('divisions')
  return {
    queues: [
      ...names.queues.map((queue) => ({ ...queue, divisionId: null })),
      ...(kept.queues ?? []).filter(({ name }) => !queues.has(name)),
    ],
    divisions: [...names.divisions, ...(kept.divisions ?? []).filter(({ name }) => !divisions.has(name))],
  }
}

/** What the names of the routes come to. One that a route cannot do without and that nothing explains is a problem of the test. */
function namesIn(config: Config, things: NamedThings, one: TestFile, problems: Problem[]): readonly RouteNames[] {
  return config.routes.flatMap((route) => {
    const { names, unknown } = resolveNames(route, things, KNOWN_TOPICS)
    for (const { place, name, nearest } of unknown)
      problems.push({
        code: 'test.name_unknown',
        message: `${one.file}: route ${route.name} has ${JSON.stringify(name)} in ${place}, and which id that is neither the test says nor the data directory`,
        hint: `Add "names": { ${JSON.stringify(place)}: { ${JSON.stringify(name)}: "ID" } } to the test${nearest.length === 0 ? '' : `; known are ${nearest.join(', ')}`}.`,
      })
    return names.length === 0 ? [] : [{ route: route.name, names }]
  })
}

/** Runs a test. Events and expectations that do not go together are a problem of the test. */
async function judge(
  rehearsal: Rehearsal,
  one: TestFile,
  { nowMs, things }: { readonly nowMs: number; readonly things: NamedThings },
  problems: Problem[],
): Promise<readonly Judged[]> {
  const records = one.entries.flatMap((entry) => entry.records)
  const outcomes = await rehearsal.run(
    records.map(({ bytes }) => bytes),
    nowMs,
    things,
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
    for (const { route, names } of one.names)
      for (const use of names) print(context, paint('dim', `  ${safe`${route}`}  ${escapeText(shownUse(use))}`))
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
      ...(one.names.length === 0 ? {} : { names: one.names }),
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

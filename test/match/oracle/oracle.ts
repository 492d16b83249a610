/**
 * The official matching library of EventBridge (event-ruler, Java), asked through a small driver. Its jars come from Maven into
 * `node_modules/.cache` once; where Java or Maven is missing, or cannot reach its repository, the reason is given instead.
 */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export type Question = { readonly pattern: string; readonly events: readonly string[] }
export type Verdict = {
  /** Null when it takes the pattern, else why not. */
  readonly refusal: string | null
  /** By event: whether it matches; null when the library threw. */
  readonly matches: readonly (boolean | null)[]
  /** Events on which the library's two finders disagree. */
  readonly disagreements: number
}

export interface Oracle {
  judge(questions: readonly Question[]): Promise<readonly Verdict[]>
  /** Microseconds an event, a number a round, and the matches of one round. */
  bench(rulesFile: string, eventsFile: string, rounds: number): { readonly microseconds: readonly number[]; readonly matches: number }
}

const HERE = fileURLToPath(new URL('.', import.meta.url))
const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const CACHE = join(ROOT, 'node_modules/.cache/trunkline-match-oracle')

/** The library ready to be asked, or why it is not. */
export function openOracle(): Oracle | string {
  const java = ['java', 'javac'].find((command) => spawnSync(command, ['-version']).status !== 0)
  if (java !== undefined) return `${java} is not installed (Java 17 or newer is needed)`
  const jars = jarsOf()
  if (jars === null) return 'Maven is not installed, or could not fetch software.amazon.event.ruler:event-ruler'
  const classes = classesWith(jars)
  if (classes === null) return 'test/match/oracle/Oracle.java does not compile'
  const classPath = [join(jars, '*'), classes].join(process.platform === 'win32' ? ';' : ':')
  return {
    judge: async (questions) => verdictsOf(questions, await answersOf(classPath, questions)),
    bench: (rulesFile, eventsFile, rounds) => {
      const run = spawnSync('java', ['-cp', classPath, 'Oracle', 'bench', rulesFile, eventsFile, String(rounds)], { encoding: 'utf8' })
      const [microseconds = '', matches = ''] = run.stdout.split('\n')
      if (run.status !== 0) throw new Error(run.stderr)
      return { microseconds: JSON.parse(microseconds) as number[], matches: Number(matches) }
    },
  }
}

/** The folder of jars, fetched when it is not there. */
function jarsOf(): string | null {
  const pom = join(HERE, 'pom.xml')
  const jars = join(CACHE, `jars-${hashOf(pom)}`)
  if (existsSync(jars)) return jars
  mkdirSync(CACHE, { recursive: true })
  const unfinished = `${jars}.${process.pid}`
  const maven = spawnSync(
    'mvn',
    ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${unfinished}`],
    {
      stdio: 'ignore',
      timeout: 180_000,
    },
  )
  const whole = maven.status === 0 && readdirSync(unfinished).some((file) => file.startsWith('event-ruler'))
  if (whole && !existsSync(jars)) renameSync(unfinished, jars)
  rmSync(unfinished, { recursive: true, force: true })
  return whole ? jars : null
}

function classesWith(jars: string): string | null {
  const source = join(HERE, 'Oracle.java')
  const classes = join(CACHE, `classes-${hashOf(source)}`)
  if (existsSync(classes)) return classes
  const unfinished = `${classes}.${process.pid}`
  const compiled = spawnSync('javac', ['-cp', join(jars, '*'), '-d', unfinished, source], { stdio: ['ignore', 'ignore', 'inherit'] })
  if (compiled.status === 0 && !existsSync(classes)) renameSync(unfinished, classes)
  rmSync(unfinished, { recursive: true, force: true })
  return compiled.status === 0 ? classes : null
}

function answersOf(classPath: string, questions: readonly Question[]): Promise<readonly string[]> {
  const { promise, resolve, reject } = Promise.withResolvers<readonly string[]>()
  const child = spawn('java', ['-Xmx512m', '-cp', classPath, 'Oracle', 'judge'], { stdio: ['pipe', 'pipe', 'inherit'] })
  let answers = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (answers += chunk))
  child.on('error', reject)
  child.on('close', (code) => (code === 0 ? resolve(answers.split('\n')) : reject(new Error(`the oracle ended with ${code}`))))
  for (const { pattern, events } of questions) child.stdin.write(`P${pattern}\n${events.map((event) => `E${event}\n`).join('')}`)
  child.stdin.end()
  return promise
}

function verdictsOf(questions: readonly Question[], answers: readonly string[]): readonly Verdict[] {
  let at = 0
  return questions.map(({ events }) => {
    const verdict = answers[at++] ?? ''
    const matches = events.map(() => answers[at++] ?? '')
    return {
      refusal: verdict === 'ok' ? null : verdict.slice('no '.length),
      matches: matches.map((answer) => (answer === '!' ? null : answer.startsWith('1'))),
      disagreements: matches.filter((answer) => answer.endsWith('~')).length,
    }
  })
}

function hashOf(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex').slice(0, 12)
}

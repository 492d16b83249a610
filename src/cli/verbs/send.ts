/**
 * `trunkline send`: events from files, folders and standard input to the service, each sent until it is
 * acknowledged. Exit code 0 only when every record was accepted.
 */
import { Command, Option } from 'commander'
import type { Clock } from '../../pipeline/clock.ts'
import { Packer, type Batch } from '../batches.ts'
import { clientOf } from '../client.ts'
import { note, paintFor, print, printJson, printProblem, type Context, type Problem } from '../context.ts'
import { FAILED, OK, problemOf } from '../failure.ts'
import { count } from '../format.ts'
import { recordsOf, sourcesOf, type InputRecord, type Source } from '../input.ts'
import { seconds, withClient, withExamples, withJson, type ClientOptions } from '../options.ts'
import { INTERRUPTED, Sending, type SendCounts } from '../sending.ts'
import { clip, escapeText, safe } from '../text.ts'

type Options = ClientOptions & { readonly json?: true; readonly timeout: number }

/** A batch under way is sent after this long without more input. */
const IDLE_MS = 200

export function sendCommand(context: Context): Command {
  const command = new Command('send')
    .description('send events to the service and wait until it has them on disk')
    .argument('[files...]', 'files of one event, an array or lines (NDJSON), also .gz; folders of such files; - for standard input')
    .addOption(
      new Option('--timeout <seconds>', 'give up when a batch was not acknowledged for so long').argParser(seconds).default(60_000, '60'),
    )
    .action((names: readonly string[], options: Options) => send(context, names, options))
  return withExamples(
    withJson(withClient(command)),
    'trunkline send events/',
    'trunkline send export.ndjson.gz --json',
    'cat events.ndjson | trunkline send -',
  )
}

async function send(context: Context, names: readonly string[], options: Options): Promise<void> {
  const { io } = context
  const sources = sourcesOf(io, names)
  const interrupted = new AbortController()
  const removeHandler = io.onInterrupt(() => interrupted.abort())
  const progress = progressOf(context)
  const sending = new Sending({
    client: clientOf(io, options),
    io,
    signal: AbortSignal.any([context.signal, interrupted.signal]),
    timeoutMs: options.timeout,
    onProgress: progress.show,
  })
  const work = new Work(io.clock, sending, interrupted.signal)
  try {
    for (const source of sources) if (!(await work.sendSource(source))) break
    await work.flush()
  } finally {
    removeHandler()
    io.stdin.close()
    progress.clear()
  }
  report(context, work, options.json === true)
}

/** Records on their way from the sources to the service, one request at a time. */
class Work {
  readonly #clock: Clock
  readonly #packer = new Packer()
  readonly #interrupted: AbortSignal
  readonly sending: Sending
  records = 0
  /** What kept something from being sent: the service, the user, or a source that cannot be read. */
  readonly problems: Problem[] = []
  /** The first record that was not acknowledged, once nothing more is sent. */
  stoppedAt: InputRecord | null = null
  #stopped = false

  constructor(clock: Clock, sending: Sending, interrupted: AbortSignal) {
    this.#clock = clock
    this.#interrupted = interrupted
    this.sending = sending
  }

  /** Answers false when nothing more can be sent; a source that cannot be read does not stop the next one. */
  async sendSource(source: Source): Promise<boolean> {
    const groups = recordsOf(source)
    try {
      for (;;) {
        const next = await this.#next(groups.next(), source.live === true)
        if (this.#stopped) return false
        if (next === null || next.done === true) return true
        for (const record of next.value) {
          this.records++
          const batch = this.#packer.add(record)
          if (batch !== null) await this.#deliver(batch)
          if (this.#stopped) return false
        }
      }
    } catch (error) {
      this.problems.push(problemOf(error))
      return true
    }
  }

  /** Sends what is packed. */
  async flush(): Promise<void> {
    const batch = this.#packer.close()
    if (batch !== null) await this.#deliver(batch)
  }

  /** Waits for input. What is packed does not wait for long with it, so that a slow producer's events arrive too. */
  async #next<Arrived>(arriving: Promise<Arrived>, live: boolean): Promise<Arrived | null> {
    const interrupted = this.#interrupted
    const ended = new AbortController()
    const stop = (): void => ended.abort()
    interrupted.addEventListener('abort', stop)
    arriving.then(stop, stop)
    try {
      if (live && !this.#packer.isEmpty) await this.#clock.wait(IDLE_MS, ended.signal)
      if (live && !ended.signal.aborted) await this.flush()
      const aborted = new Promise<null>((resolve) =>
        interrupted.aborted
          ? resolve(null)
          : interrupted.addEventListener('abort', () => resolve(null), { once: true, signal: ended.signal }),
      )
      const first = await Promise.race([arriving, aborted])
      if (interrupted.aborted) this.#stop(INTERRUPTED, this.#packer.close()?.records[0])
      return first
    } finally {
      interrupted.removeEventListener('abort', stop)
    }
  }

  async #deliver(batch: Batch): Promise<void> {
    const before = this.sending.counts.answered
    try {
      await this.sending.send(batch)
    } catch (error) {
      this.#stop(problemOf(error), batch.records[this.sending.counts.answered - before])
    }
  }

  #stop(problem: Problem, at: InputRecord | undefined): void {
    if (this.#stopped) return
    this.#stopped = true
    this.stoppedAt = at ?? null
    this.problems.push(problem)
  }
}

function report(context: Context, work: Work, json: boolean): void {
  const { counts } = work.sending
  const unsent = work.records - counts.answered
  const failed = counts.quarantined + counts.refused + unsent > 0 || work.problems.length > 0
  context.exitCode = failed ? FAILED : OK
  const stoppedAt = work.stoppedAt === null ? null : { source: work.stoppedAt.source, index: work.stoppedAt.index }
  if (json)
    printJson(context, {
      records: work.records,
      accepted: counts.accepted,
      quarantined: counts.quarantined,
      refused: counts.refused,
      unsent,
      resent: counts.resent,
      stoppedAt,
      ids: counts.ids,
      errors: counts.errors,
      errorsNotListed: counts.errorsNotListed,
      problems: work.problems,
    })
  else reportText(context, counts, unsent)
  for (const problem of work.problems) printProblem(context, problem)
  if (stoppedAt !== null) note(context, safe`  stopped at record ${stoppedAt.index} of ${stoppedAt.source}; nothing after it was sent`)
}

function reportText(context: Context, counts: SendCounts, unsent: number): void {
  const paint = paintFor(context)
  const parts = [
    paint(counts.accepted > 0 ? 'green' : 'dim', `accepted ${counts.accepted}`),
    paint(counts.quarantined > 0 ? 'red' : 'dim', `quarantined ${counts.quarantined}`),
  ]
  if (counts.refused > 0) parts.push(paint('red', `refused ${counts.refused}`))
  if (unsent > 0) parts.push(paint('red', `not acknowledged ${unsent}`))
  if (counts.resent > 0) parts.push(`(${count(counts.resent, 'request')} sent again)`)
  print(context, parts.join(', ').replace(', (', ' ('))
  for (const error of counts.errors.slice(0, MAX_ERRORS_SHOWN)) {
    const kept = error.quarantineId === null ? '' : safe` (trunkline quarantine show ${error.quarantineId})`
    note(context, `${safe`  ${error.source} record ${error.index}: ${error.message} [${error.code}]`}${kept}`)
  }
  const more = counts.errors.length + counts.errorsNotListed - MAX_ERRORS_SHOWN
  if (more > 0) note(context, `  and ${count(more, 'further error')}: trunkline quarantine`)
  if (counts.ids.length === 0 || counts.ids.length > 5) return
  for (const id of counts.ids) print(context, safe`  trunkline explain ${id}`)
}

const MAX_ERRORS_SHOWN = 20
const PROGRESS_EVERY_MS = 100

type Progress = { show(counts: SendCounts, waiting: string | null): void; clear(): void }

/** One line that is written over on a terminal; elsewhere only the first wait is told. */
function progressOf(context: Context): Progress {
  const { stderr, clock } = context.io
  let shownAtMs = -Infinity
  let told = false
  return {
    show(counts, waiting) {
      if (!stderr.isTTY) {
        if (waiting !== null && !told) note(context, safe`waiting: ${waiting}`)
        told ||= waiting !== null
        return
      }
      if (waiting === null && clock.nowMs() - shownAtMs < PROGRESS_EVERY_MS) return
      shownAtMs = clock.nowMs()
      const line = `accepted ${counts.accepted}${waiting === null ? '' : `, waiting: ${escapeText(waiting)}`}`
      stderr.write(`\r\u001b[K${clip(line, (stderr.columns ?? 80) - 1)}`)
    },
    clear() {
      if (stderr.isTTY && shownAtMs !== -Infinity) stderr.write('\r\u001b[K')
    },
  }
}

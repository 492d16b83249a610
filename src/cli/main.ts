/**
 * The command `trunkline`. Answers with the exit code: 0 done, 1 failed, 2 wrong usage or configuration. What a verb
 * needs beyond the HTTP API is loaded by the verb when it runs, so that help and client verbs start fast.
 */
import { Command, CommanderError } from 'commander'
import { VERSION } from '../hosts/version.ts'
import { connect } from './connect.ts'
import { printProblem, type Context } from './context.ts'
import { exitCodeOf, FAILED, OK, problemOf, USAGE } from './failure.ts'
import { failureOf, processIo, type Io } from './io.ts'
import { escapeLines } from './text.ts'
import { benchCommand } from './verbs/bench.ts'
import { configCommand } from './verbs/config.ts'
import { deadlettersCommand } from './verbs/deadletters.ts'
import { devCommand } from './verbs/dev.ts'
import { eventsCommand } from './verbs/events.ts'
import { explainCommand } from './verbs/explain.ts'
import { fsckCommand } from './verbs/fsck.ts'
import { genesysCommand } from './verbs/genesys.ts'
import { initCommand } from './verbs/init.ts'
import { quarantineCommand } from './verbs/quarantine.ts'
import { queuesCommand } from './verbs/queues.ts'
import { reconcileCommand } from './verbs/reconcile.ts'
import { schemasCommand } from './verbs/schemas.ts'
import { sendCommand } from './verbs/send.ts'
import { simulateCommand } from './verbs/simulate.ts'
import { startCommand } from './verbs/start.ts'
import { stateCommand } from './verbs/state.ts'
import { tailCommand } from './verbs/tail.ts'
import { testCommand } from './verbs/test.ts'
import { topicsCommand } from './verbs/topics.ts'

/** Runs the command with its arguments, without those of the process itself; never rejects. */
export async function main(argv: readonly string[], io: Io = processIo()): Promise<number> {
  const ended = new AbortController()
  const context: Context = { io, signal: ended.signal, outlivesOutput: false, exitCode: OK }
  const unread = new Promise<number>((resolve) => {
    const end = (): void => {
      if (context.outlivesOutput) return
      ended.abort()
      const failure = failureOf(io.outputClosed)
      if (failure !== null) printProblem(context, failure)
      resolve(failure === null ? OK : FAILED)
    }
    if (io.outputClosed.aborted) end()
    else io.outputClosed.addEventListener('abort', end, { once: true })
  })
  return Promise.race([run(context, argv), unread])
}

async function run(context: Context, argv: readonly string[]): Promise<number> {
  try {
    const program = programOf(context)
    await program.parseAsync(withoutVainHelp(program, argv), { from: 'user' })
    return context.exitCode
  } catch (error) {
    // Commander has said what is wrong by now; asking for help is nothing wrong.
    if (error instanceof CommanderError) return error.exitCode === 0 ? OK : USAGE
    printProblem(context, problemOf(error))
    if (context.io.env['TRUNKLINE_DEBUG'] === '1' && error instanceof Error) context.io.stderr.write(`${escapeLines(error.stack ?? '')}\n`)
    return exitCodeOf(error)
  }
}

/** Without the help of a command that there is not: Commander would answer with that of the command above it, as if all were well. */
function withoutVainHelp(program: Command, argv: readonly string[]): string[] {
  let command = program
  for (const word of argv) {
    const child = command.commands.find((one) => one.name() === word)
    if (child === undefined) {
      const isVain = command.commands.length > 0 && word !== 'help' && !word.startsWith('-')
      return isVain ? argv.filter((other) => other !== '--help' && other !== '-h') : [...argv]
    }
    command = child
  }
  return [...argv]
}

function programOf(context: Context): Command {
  const program = new Command('trunkline')
    .description('The event pipeline for Genesys Cloud contact centres: durable, de-duplicated, explained.')
    .version(VERSION, '-V, --version')
    .addHelpText(
      'after',
      '\nExample:\n  $ trunkline dev            in one terminal\n  $ trunkline send events/   in another\n\nExit codes: 0 done, 1 failed, 2 wrong usage or configuration.',
    )
  const verbs = [
    initCommand,
    devCommand,
    startCommand,
    sendCommand,
    simulateCommand,
    tailCommand,
    eventsCommand,
    explainCommand,
    deadlettersCommand,
    quarantineCommand,
    (context: Context) => schemasCommand(context, connect),
    topicsCommand,
    queuesCommand,
    stateCommand,
    reconcileCommand,
    genesysCommand,
    configCommand,
    testCommand,
    fsckCommand,
    benchCommand,
  ]
  for (const verb of verbs) program.addCommand(verb(context))
  settle(program, context)
  return program
}

/** Commander ends the process and writes to it by default; here it throws, and writes to `io`. */
function settle(command: Command, context: Context): void {
  const { stdout, stderr } = context.io
  command.exitOverride().configureOutput({
    writeOut: (text) => void stdout.write(text),
    // Holds arguments as they were typed, or pasted.
    writeErr: (text) => void stderr.write(escapeLines(text)),
    getOutHelpWidth: () => stdout.columns ?? 100,
    getErrHelpWidth: () => stderr.columns ?? 100,
    getOutHasColors: () => false,
    getErrHasColors: () => false,
  })
  command.showHelpAfterError(`See: ${pathOf(command)} --help`)
  for (const child of command.commands) settle(child, context)
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`
}

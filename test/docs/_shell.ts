/**
 * Runs the blocks of one page as a reader would: one after the other in an empty folder, with as many terminals as the
 * page asks for. `git clone` gives this tree; the ports of the page are free ones; nothing of the caller's Trunkline
 * settings is seen. What was started is ended by its own process group.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { ROOT, type Block, fileOf, noteOf, placeOf } from './_pages.ts'

export type Ran = { readonly code: number; readonly stdout: string; readonly all: string }

/** Ports that pages name, each replaced by a free one. */
const PORTS: readonly string[] = ['4680', '4690', '8080']
const LIMIT_MS = 40_000
const LOOK_AGAIN_MS = 150

export class PageShell {
  readonly folder: string
  readonly #home: string
  readonly #env: Readonly<Record<string, string>>
  readonly #ports: ReadonlyMap<string, number>
  readonly #terminals = new Map<string, Terminal>()

  private constructor(ports: ReadonlyMap<string, number>) {
    this.#ports = ports
    this.#home = mkdtempSync(join(tmpdir(), 'trunkline-docs-'))
    this.folder = join(this.#home, 'work')
    mkdirSync(this.folder)
    const commands = join(this.#home, 'bin')
    mkdirSync(commands)
    writeCommand(join(commands, 'trunkline'), `exec node ${quote(join(ROOT, 'bin/trunkline.js'))} "$@"`)
    writeCommand(join(commands, 'git'), CLONE)
    writeFileSync(join(this.#home, 'cwd'), this.folder)
    writeFileSync(join(this.#home, 'state'), '')
    const port = String(ports.get('4680'))
    const kept = Object.entries(process.env).filter(
      ([name]) => !/^(?:TRUNKLINE_|npm_|NODE_)/i.test(name) && name !== 'INIT_CWD' && name !== 'CI',
    )
    this.#env = {
      ...(Object.fromEntries(kept) as Record<string, string>),
      PATH: [commands, join(ROOT, 'node_modules/.bin'), process.env['PATH'] ?? ''].join(':'),
      HOME: this.#home,
      NO_COLOR: '1',
      npm_config_update_notifier: 'false',
      TRUNKLINE_PORT: port,
      TRUNKLINE_URL: `http://127.0.0.1:${port}`,
    }
  }

  static async open(): Promise<PageShell> {
    const found = await Promise.all(PORTS.map(async (port) => [port, await freePort()] as const))
    return new PageShell(new Map(found))
  }

  /** Puts a snippet where the page says it is. */
  write(block: Block): void {
    const path = join(readFileSync(join(this.#home, 'cwd'), 'utf8').trim(), fileOf(block) ?? '')
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, this.#withPorts(block.text))
  }

  /** Runs a block to its end, or starts it in its terminal. */
  async run(block: Block): Promise<Ran> {
    const terminal = noteOf(block, 'terminal')
    if (terminal !== null) return this.#start(block, terminal)
    const until = noteOf(block, 'again until')
    const expected = Number(noteOf(block, 'exits') ?? 0)
    const deadline = Date.now() + LIMIT_MS
    for (;;) {
      const ran = await this.#toItsEnd(block)
      const shown = until === null || ran.all.includes(unquoted(until))
      if (shown && ran.code === expected) return ran
      if (until === null || Date.now() > deadline)
        throw new Error(
          `${placeOf(block)}: exit code ${ran.code}, expected ${expected}${shown ? '' : ` and ${until}`}\n${ran.all}\n${this.#allTerminals()}`,
        )
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS))
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#terminals.values()].map((terminal) => terminal.end()))
    rmSync(this.#home, { recursive: true, force: true })
  }

  async #toItsEnd(block: Block): Promise<Ran> {
    const child = this.#bash(
      block,
      'trap \'code=$?; set +e; { export -p; declare -f; } > "$DOCS_STATE"; pwd > "$DOCS_CWD"; exit $code\' EXIT',
    )
    const output = new Output(child)
    const timer = setTimeout(() => killGroup(child, 'SIGKILL'), LIMIT_MS)
    const [code] = (await once(child, 'close')) as [number | null]
    clearTimeout(timer)
    return { code: code ?? -1, stdout: output.stdout, all: output.all }
  }

  async #start(block: Block, note: string): Promise<Ran> {
    const [, name = '', until = ''] = /^(\S+?): until "(.+)"$/.exec(note) ?? []
    if (until === '') throw new Error(`${placeOf(block)}: say what the terminal shows: terminal NAME: until "TEXT"`)
    await this.#terminals.get(name)?.end()
    const terminal = new Terminal(this.#bash(block, ''))
    this.#terminals.set(name, terminal)
    await terminal.shows(until, placeOf(block))
    return { code: 0, stdout: terminal.output.stdout, all: terminal.output.all }
  }

  #bash(block: Block, trap: string): ChildProcess {
    const script = `. "$DOCS_STATE"; cd "$(cat "$DOCS_CWD")"; set -ae -o pipefail\n${trap}\n${this.#withPorts(block.text)}`
    const env = { ...this.#env, DOCS_STATE: join(this.#home, 'state'), DOCS_CWD: join(this.#home, 'cwd') }
    return spawn('bash', ['-c', script], { cwd: this.folder, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  }

  #withPorts(text: string): string {
    let result = text
    for (const [port, free] of this.#ports) result = result.replaceAll(port, String(free))
    return result
  }

  #allTerminals(): string {
    return [...this.#terminals].map(([name, { output }]) => `--- terminal ${name}\n${output.all}`).join('\n')
  }
}

class Output {
  stdout = ''
  all = ''
  #changed: (() => void)[] = []

  constructor(child: ChildProcess) {
    child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#add(text, true))
    child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#add(text, false))
  }

  onChange(listener: () => void): void {
    this.#changed.push(listener)
  }

  #add(text: string, toStdout: boolean): void {
    if (toStdout) this.stdout += text
    this.all += text
    for (const listener of this.#changed) listener()
  }
}

class Terminal {
  readonly output: Output
  readonly #child: ChildProcess
  readonly #closed: Promise<unknown>

  constructor(child: ChildProcess) {
    this.#child = child
    this.output = new Output(child)
    this.#closed = once(child, 'close')
  }

  async shows(text: string, place: string): Promise<void> {
    const shown = new Promise<void>((resolve) => {
      const look = (): void => {
        if (this.output.all.includes(text)) resolve()
      }
      this.output.onChange(look)
      look()
    })
    const ended = this.#closed.then(() => Promise.reject(new Error(`${place}: ended\n${this.output.all}`)))
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${place}: ${JSON.stringify(text)} was not shown\n${this.output.all}`)), LIMIT_MS)
    })
    try {
      await Promise.race([shown, ended, late])
    } finally {
      clearTimeout(timer)
      ended.catch(() => undefined)
    }
  }

  /** Ctrl-C, and after ten seconds the end. */
  async end(): Promise<void> {
    killGroup(this.#child, 'SIGINT')
    const timer = setTimeout(() => killGroup(this.#child, 'SIGKILL'), 10_000)
    await this.#closed
    clearTimeout(timer)
  }
}

/** The process group of a child we started ourselves. */
function killGroup(child: ChildProcess, signal: 'SIGINT' | 'SIGKILL'): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal)
  } catch {
    // Gone already.
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}

function writeCommand(path: string, script: string): void {
  writeFileSync(path, `#!/bin/sh\n${script}\n`)
  chmodSync(path, 0o755)
}

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
const unquoted = (text: string): string => text.replace(/^"(.*)"$/, '$1')

/** `git clone URL [FOLDER]`: this tree, by links. */
const CLONE = `[ "$1" = clone ] || { echo "only git clone is for pages" >&2; exit 1; }
folder="\${3:-trunkline}"
mkdir "$folder"
for entry in ${quote(ROOT)}/*; do ln -s "$entry" "$folder/"; done`

/**
 * What `trunkline dev` and `trunkline start` share: load the configuration, start the service, say what runs, and stop
 * it well. The first signal drains; the second ends the process at once, which loses nothing that was acknowledged.
 */
import { join } from 'node:path'
import { Option, type Command } from 'commander'
import type { Config, RouteConfig } from '../../config/config.ts'
import { shownSink, shownTake } from '../../config/print.ts'
import { dataDirOf, DEFAULT_URL } from '../client.ts'
import { note, paintFor, print, printProblem, type Context } from '../context.ts'
import { FAILED, problemOf } from '../failure.ts'
import { count } from '../format.ts'
import { placeOf } from '../genesys-place.ts'
import { configOf } from '../loading.ts'
import { boundNursery } from '../nursery.ts'
import { escapeText, safe } from '../text.ts'
import { IN_A_CLONE } from '../in-a-clone.ts'

export type ServeOptions = {
  readonly config?: string
  readonly port?: string
  readonly host?: string
  readonly dataDir?: string
  readonly allowHost?: readonly string[]
  readonly logLevel?: string
}

export function withService(command: Command): Command {
  return command
    .addOption(new Option('--config <file>', 'the configuration file (TRUNKLINE_CONFIG; otherwise trunkline.config.* here)'))
    .addOption(new Option('--port <port>', 'port to listen on, 0 for a free one (TRUNKLINE_PORT; otherwise 4680)'))
    .addOption(new Option('--host <host>', 'address to listen on (TRUNKLINE_HOST; otherwise 127.0.0.1)'))
    .addOption(new Option('--data-dir <folder>', 'where everything is kept (TRUNKLINE_DATA_DIR; otherwise .trunkline)'))
    .addOption(
      new Option('--allow-host <name>', 'also answer to this host name, for tunnels; may be repeated').argParser(
        (name: string, names: readonly string[] | undefined) => [...(names ?? []), name],
      ),
    )
    .addOption(
      new Option('--log-level <level>', 'what the service logs to standard error').choices([
        'fatal',
        'error',
        'warn',
        'info',
        'debug',
        'trace',
        'silent',
      ]),
    )
}

/** Runs the service until it stops. */
export async function serve(context: Context, mode: 'dev' | 'start', simulate: boolean, options: ServeOptions): Promise<void> {
  const { io } = context
  context.outlivesOutput = true
  const { logLevel, ...flags } = options
  const config = await configOf(context, flags)
  if (config === null) return
  // Listening begins before the service does, so that a signal in between is not lost.
  const interrupts = interruptsOf(context)
  try {
    boundNursery()
    const { startService } = await import('../../hosts/service.ts')
    const service = await startService({ config, mode, simulate, env: io.env, ...(logLevel === undefined ? {} : { logLevel }) })
    const genesys = await genesysOf(config)
    announce(context, { config, mode, simulate, genesys, url: service.url, tokenMade: service.tokenFile !== null })
    interrupts.onFirst(() => {
      note(context, 'stopping: draining what is under way (again to stop at once)')
      service.stop().catch((error: unknown) => {
        context.exitCode = FAILED
        printProblem(context, problemOf(error))
      })
    })
    await service.stopped
    if (interrupts.seen() > 0) note(context, 'stopped')
  } finally {
    interrupts.remove()
  }
}

type Interrupts = { onFirst(stop: () => void): void; seen(): number; remove(): void }

function interruptsOf(context: Context): Interrupts {
  let count = 0
  let stop: (() => void) | null = null
  const remove = context.io.onInterrupt(() => {
    count++
    if (count > 1) context.io.exitNow(FAILED)
    else stop?.()
  })
  return {
    onFirst(callback) {
      stop = callback
      if (count > 0) callback()
    },
    seen: () => count,
    remove,
  }
}

type Running = {
  readonly config: Config
  readonly mode: 'dev' | 'start'
  readonly simulate: boolean
  /** Where Genesys Cloud is called, and what for; null where it is not. */
  readonly genesys: string | null
  readonly url: string
  readonly tokenMade: boolean
}

function announce(context: Context, { config, mode, simulate, genesys, url, tokenMade }: Running): void {
  const paint = paintFor(context)
  const row = (name: string, value: string): void => print(context, `  ${paint('dim', name.padEnd(10))} ${value}`)
  const token = (context.io.env['TRUNKLINE_TOKEN'] ?? '') !== ''
  print(context, `trunkline ${mode}: ready on ${paint('cyan', escapeText(url))}`)
  row('page', safe`${url}/`)
  row('config', escapeText(config.file ?? 'none; the defaults'))
  row('data', escapeText(config.dataDir))
  for (const route of config.routes)
    row('route', safe`${route.name}: ${shownTake(route)} -> ${sinkOf(route)}${route.paused ? ', paused' : ''}`)
  if (genesys !== null) row('genesys', escapeText(genesys))
  if (mode === 'dev') row('simulator', simulate ? 'plays a call now and then (--no-simulate turns it off)' : 'off')
  if (token) row('token', 'the one in TRUNKLINE_TOKEN')
  else if (mode === 'start')
    row('token', safe`${tokenMade ? 'made just now; ' : ''}in ${join(config.dataDir, 'token')}, readable by this user only`)
  const elsewhere = mode === 'start' && !token && config.dataDir !== dataDirOf(context.io, {})
  const at = `${url === DEFAULT_URL ? '' : safe` --url ${url}`}${elsewhere ? safe` --data-dir ${config.dataDir}` : ''}`
  const command = IN_A_CLONE ? 'npm run trunkline --' : 'trunkline'
  row('send', `${command} send FILE${at}`)
  if (config.file === null && mode === 'dev') row('', `${command} init writes a sample event, and a configuration to begin with`)
  row('watch', `${command} tail${at}`)
  if (context.io.stdout.isTTY) print(context, paint('dim', '  Ctrl-C stops it'))
}

/** Nothing is called without an OAuth client; whether what is configured works, `genesys status` and the log say. */
async function genesysOf(config: Config): Promise<string | null> {
  const { clientId, clientSecret, notifications } = config.genesys
  const place = clientId === null || clientSecret === null ? null : await placeOf(config)
  if (place === null) return null
  return `${place}, ${notifications === null ? 'names only' : `notifications of ${count(notifications.topics.length, 'topic')}`}`
}

function sinkOf(route: RouteConfig): string {
  return `${route.sink.type} ${shownSink(route.sink)}`
}

/** `trunkline dev`: the service for a laptop, with a page and simulated calls, and without a token on loopback. */
import { Command } from 'commander'
import type { Context } from '../context.ts'
import { withExamples } from '../options.ts'
import { serve, withService, type ServeOptions } from './serve.ts'

type Options = ServeOptions & { readonly simulate: boolean }

export function devCommand(context: Context): Command {
  const command = withService(new Command('dev'))
    .description('run the service on this machine, with simulated calls')
    .option('--no-simulate', 'play no calls')
    .action(({ simulate, ...options }: Options) => serve(context, 'dev', simulate, options))
  return withExamples(command, 'trunkline dev', 'trunkline dev --no-simulate --port 4700 --data-dir /tmp/try')
}

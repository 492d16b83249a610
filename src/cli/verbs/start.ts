/** `trunkline start`: the service for production: no simulator, and a token everywhere. */
import { Command } from 'commander'
import type { Context } from '../context.ts'
import { withExamples } from '../options.ts'
import { serve, withService, type ServeOptions } from './serve.ts'

export function startCommand(context: Context): Command {
  const command = withService(new Command('start'))
    .description('run the service for production: a token everywhere, no simulator')
    .action((options: ServeOptions) => serve(context, 'start', false, options))
  return withExamples(
    command,
    'trunkline start',
    'trunkline start --config /etc/trunkline/trunkline.config.ts --data-dir /var/lib/trunkline',
  )
}

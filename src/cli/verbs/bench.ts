/** `trunkline bench`: measures this machine with the real service; the measuring is in `src/bench`. */
import { Command } from 'commander'
import type { Context } from '../context.ts'
import { wholeNumber, withExamples, withJson } from '../options.ts'

type Options = { readonly json?: true; readonly events?: number; readonly scenario?: string }

export function benchCommand(context: Context): Command {
  const command = new Command('bench')
    .description('measure accepted-to-delivered events per second on this machine; fails on any lost, doubled or altered event')
    .option('--events <n>', 'how many events', wholeNumber(1, 1_000_000_000))
    .option('--scenario <name>', 'only this scenario')
    .action(async (options: Options) => {
      const { runBench } = await import('../../bench/bench.ts')
      const { events, scenario } = options
      context.exitCode = await runBench({
        json: options.json === true,
        ...(events === undefined ? {} : { events }),
        ...(scenario === undefined ? {} : { scenario }),
      })
    })
  return withExamples(withJson(command), 'trunkline bench', 'trunkline bench --events 100000 --json')
}

/**
 * `trunkline fsck`: reads every record of a data directory that no service is using, and repairs on request. It holds
 * the lock of the directory meanwhile, so a running service is never read half-written nor repaired under its feet.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Command, Option } from 'commander'
import type { FsckReport, SegmentReport } from '../../log/fsck.ts'
import { dataDirOf } from '../client.ts'
import { paintFor, print, printJson, type Context } from '../context.ts'
import { FAILED, OK, usageError } from '../failure.ts'
import { bytes, count, table } from '../format.ts'
import { withExamples, withJson } from '../options.ts'
import { safe } from '../text.ts'

type Options = { readonly json?: true; readonly repair?: true; readonly dataDir?: string }

export function fsckCommand(context: Context): Command {
  const command = new Command('fsck')
    .description('check every record of the log; the service must not be running. Exit code 1 when something is damaged')
    .addOption(new Option('--data-dir <folder>', 'the data directory (TRUNKLINE_DATA_DIR; otherwise .trunkline)'))
    .option('--repair', 'cut torn ends (kept under damaged/) and make derived files anew')
    .action((options: Options) => runFsck(context, options))
  return withExamples(withJson(command), 'trunkline fsck', 'trunkline fsck --data-dir /var/lib/trunkline --repair')
}

async function runFsck(context: Context, options: Options): Promise<void> {
  const dataDir = dataDirOf(context.io, options)
  // Taking a folder makes a data directory of it; a mistyped one must stay as it is.
  if (!existsSync(join(dataDir, 'log')))
    throw usageError(
      `${dataDir} does not exist or is no data directory.`,
      'Name it with --data-dir; the configuration file is not read here.',
    )
  const { takeDataDir } = await import('../../hosts/data-dir.ts')
  const { fsck } = await import('../../log/fsck.ts')
  const taken = takeDataDir(dataDir, context.io.clock.nowMs())
  let report: FsckReport
  let soundNow: boolean
  try {
    report = fsck(dataDir, { repair: options.repair === true })
    soundNow = report.repaired ? fsck(dataDir, { repair: false }).ok : report.ok
  } finally {
    taken.release()
  }
  context.exitCode = soundNow ? OK : FAILED
  if (options.json === true) printJson(context, { ...report, soundNow })
  else printReport(context, report, soundNow)
}

function printReport(context: Context, report: FsckReport, soundNow: boolean): void {
  const paint = paintFor(context)
  const rows = report.segments.map((segment) => [segment.path, String(segment.records), bytes(segment.bytes), stateOf(segment)])
  if (rows.length > 0) for (const line of table(['segment', 'records', 'size', 'state'], rows)) print(context, line)
  for (const segment of report.segments) {
    for (const damage of segment.damage)
      print(
        context,
        paint('red', safe`${segment.path}: ${damage.bytes} damaged bytes at ${damage.offset}, ${count(damage.records, 'record')} lost`),
      )
  }
  if (report.ok) return print(context, `${paint('green', 'sound')}: ${count(report.records, 'record')}`)
  if (!report.repaired) return print(context, paint('red', 'damage was found; --repair cuts torn ends and makes derived files anew'))
  print(
    context,
    soundNow ? paint('green', 'repaired; sound now') : paint('red', 'repaired what can be; damaged records stay, and are skipped'),
  )
}

function stateOf(segment: SegmentReport): string {
  if (!segment.readable) return 'unreadable'
  const damaged = segment.damage.length > 0 ? [`damaged in ${count(segment.damage.length, 'place')}`] : []
  const torn = segment.tornBytes > 0 ? [`torn end of ${bytes(segment.tornBytes)}`] : []
  const columns = segment.columns === 'damaged' ? ['derived file damaged'] : []
  return [...damaged, ...torn, ...columns].join(', ') || 'ok'
}

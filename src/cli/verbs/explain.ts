/** `trunkline explain ID`: the whole history of one event, or of every event that carries an envelope id. */
import { Command } from 'commander'
import { clientOf } from '../client.ts'
import { paintFor, print, printJson, type Context, type Paint } from '../context.ts'
import { after, count, instant } from '../format.ts'
import { withClient, withExamples, withJson, type ClientOptions } from '../options.ts'
import { fieldOf, listOf, numberOf, textOf } from '../read.ts'
import { entityOf } from '../summary.ts'
import { escapeText, safe } from '../text.ts'

type Options = ClientOptions & { readonly json?: true; readonly raw?: true }

export function explainCommand(context: Context): Command {
  const command = new Command('explain')
    .description('tell the whole history of an event: every receipt, every stage of every route, every attempt')
    .argument('<id>', "Trunkline's id of the event, or the id of its envelope")
    .option('--raw', 'print the event itself, exactly as it was received, and nothing else')
    .action((id: string, options: Options) => explain(context, id, options))
  return withExamples(
    withJson(withClient(command)),
    'trunkline explain k3v9qa7m-0000002s',
    'trunkline explain k3v9qa7m-0000002s --json',
    'trunkline explain k3v9qa7m-0000002s --raw | jq .detail',
  )
}

async function explain(context: Context, id: string, options: Options): Promise<void> {
  const found = await clientOf(context.io, options).get(`/v1/events/${encodeURIComponent(id)}`, {}, context.signal)
  if (options.json === true) return printJson(context, found)
  const many = Array.isArray(fieldOf(found, 'events'))
  const events = many ? listOf(found, 'events') : [found]
  if (options.raw === true) {
    for (const event of events) printRaw(context, textOf(event, 'raw') ?? '')
    return
  }
  const paint = paintFor(context)
  if (many) print(context, safe`${count(events.length, 'event')} with the envelope id ${id}`)
  events.forEach((event, index) => {
    if (index > 0 || many) print(context)
    for (const line of [
      ...aboutLines(event, paint),
      ...receiptLines(event, paint),
      ...listOf(event, 'routes').flatMap((route) => routeLines(event, route, paint)),
    ])
      print(context, line)
  })
}

/** Bytes for another program as they are; on a terminal escaped, line by line. */
function printRaw(context: Context, raw: string): void {
  if (!context.io.stdout.isTTY) print(context, raw)
  else for (const line of raw.split('\n')) print(context, escapeText(line.replace(/\r$/, '')))
}

function aboutLines(event: unknown, paint: Paint): string[] {
  const marks = listOf(event, 'marks').map(String).join(', ')
  const rows: readonly (readonly [string, string | null])[] = [
    ['topic', textOf(event, 'topic')],
    ['topic name', textOf(event, 'topicName')],
    ['about', entityOf(event)],
    ['envelope id', textOf(event, 'envelopeId')],
    ['source', textOf(event, 'source')],
    ['format', textOf(event, 'format')],
    ['occurred', timeIn(event, 'occurredAtMs')],
    ['published', timeIn(event, 'publishedAtMs')],
    ['received', timeIn(event, 'receivedAtMs')],
    ['marks', marks === '' ? null : marks],
    ['repeats', textOf(event, 'duplicateOf')],
  ]
  const lines = rows.flatMap(([name, value]) => (value === null ? [] : [`  ${paint('dim', name.padEnd(12))} ${escapeText(value)}`]))
  return [paint('bold', safe`event ${textOf(event, 'id') ?? '?'}`), ...lines]
}

function receiptLines(event: unknown, paint: Paint): string[] {
  const receipts = listOf(event, 'receipts')
  const lines = receipts.map((receipt) => {
    const { via, verdict, id } = {
      via: textOf(receipt, 'via') ?? '?',
      verdict: textOf(receipt, 'verdict') ?? '',
      id: textOf(receipt, 'id') ?? '?',
    }
    return safe`  ${instant(numberOf(receipt, 'receivedAtMs'))}  ${id}  by ${via}  ${verdict}`.trimEnd()
  })
  return ['', paint('bold', count(receipts.length, 'receipt')), ...lines]
}

function routeLines(event: unknown, route: unknown, paint: Paint): string[] {
  const outcome = textOf(route, 'outcome') ?? '?'
  const reason = textOf(route, 'reason')
  const head = `${paint('bold', safe`route ${textOf(route, 'route') ?? '?'}`)}: ${paint(STYLES.get(outcome) ?? 'yellow', escapeText(outcome))}${reason === null ? '' : safe` (${reason})`}`
  const revision = textOf(route, 'revision')
  const stages = listOf(route, 'stages').map((stage) => {
    const why = textOf(stage, 'reason')
    const derived =
      fieldOf(stage, 'derived') === true ? paint('dim', safe`  derived, by revision ${textOf(stage, 'revision') ?? revision ?? '?'}`) : ''
    return `  ${safe`stage ${(textOf(stage, 'stage') ?? '?').padEnd(9)} ${textOf(stage, 'outcome') ?? '?'}`}${why === null ? '' : safe`  ${why}`}${derived}`
  })
  const receivedAtMs = numberOf(event, 'receivedAtMs')
  const history = listOf(route, 'history').map((happening) => {
    const atMs = numberOf(happening, 'atMs')
    const attempt = numberOf(happening, 'attempt') ?? 0
    const parts = [
      instant(atMs),
      (atMs === null || receivedAtMs === null ? '' : after(atMs - receivedAtMs)).padStart(8),
      escapeText((textOf(happening, 'what') ?? '?').replaceAll('_', ' ')),
      attempt > 0 ? `attempt ${attempt}` : '',
      safe`at ${textOf(happening, 'stage') ?? '?'}:`,
      escapeText(textOf(happening, 'reason') ?? ''),
      escapeText(textOf(happening, 'detail') ?? ''),
      textOf(happening, 'origin') === 'live' ? '' : paint('yellow', safe`[${textOf(happening, 'origin') ?? ''}]`),
    ]
    return `  ${parts.filter((part) => part !== '' && part !== '[]').join(' ')}`
  })
  const names = listOf(route, 'names').map((use) => {
    const ids = listOf(use, 'ids').map(String)
    const shown = ids.length > SHOWN_IDS ? `${ids.slice(0, SHOWN_IDS).join(', ')} and ${ids.length - SHOWN_IDS} more` : ids.join(', ')
    return safe`  ${textOf(use, 'place') ?? '?'}: ${textOf(use, 'name') ?? '?'} (${shown === '' ? 'not known' : shown})`
  })
  return ['', head, ...names, ...stages, ...history]
}

function timeIn(event: unknown, key: string): string | null {
  const atMs = numberOf(event, key)
  return atMs === null ? null : instant(atMs)
}

const SHOWN_IDS = 3
const STYLES: ReadonlyMap<string, 'green' | 'red' | 'dim'> = new Map([
  ['delivered', 'green'],
  ['dead', 'red'],
  ['dropped', 'red'],
  ['not_matched', 'dim'],
  ['duplicate', 'dim'],
  ['not_offered', 'dim'],
])

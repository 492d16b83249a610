/** `trunkline quarantine`: records that are no events, with their exact bytes. */
import { isUtf8 } from 'node:buffer'
import { Command } from 'commander'
import { clientOf, type Client } from '../client.ts'
import { note, paintFor, print, printJson, type Context } from '../context.ts'
import { bytes as sizeOf, count, instant } from '../format.ts'
import { wholeNumber, withClient, withExamples, withJson, type ClientOptions } from '../options.ts'
import { fieldOf, listOf, numberOf, textOf } from '../read.ts'
import { clip, escapeText, safe } from '../text.ts'

type ListOptions = ClientOptions & { readonly json?: true; readonly limit: number; readonly cursor?: string }
type ShowOptions = ClientOptions & { readonly json?: true; readonly raw?: true }

export function quarantineCommand(context: Context): Command {
  const list = withJson(withClient(new Command('list')))
    .description('list quarantined records, newest first (the default); --json has their exact bytes')
    .option('--limit <n>', 'how many', wholeNumber(1, 200), 50)
    .option('--cursor <cursor>', 'go on where another list ended')
    .action((options: ListOptions) => listRecords(context, options))
  const show = withJson(withClient(new Command('show')))
    .description('show one quarantined record')
    .argument('<id>', 'id of the record')
    .option('--raw', 'write its exact bytes and nothing else')
    .action((id: string, options: ShowOptions) => showRecord(context, id, options))
  withExamples(list, 'trunkline quarantine list --limit 10', 'trunkline quarantine --json')
  withExamples(show, 'trunkline quarantine show k3v9qa7m-q0000002s', 'trunkline quarantine show k3v9qa7m-q0000002s --raw > record.json')
  const command = new Command('quarantine')
    .description('list and show bytes that are no events')
    .addCommand(list, { isDefault: true })
    .addCommand(show)
  return withExamples(command, 'trunkline quarantine', 'trunkline quarantine --json')
}

async function listRecords(context: Context, options: ListOptions): Promise<void> {
  const client = clientOf(context.io, options)
  const page = await client.get('/v1/quarantine', { limit: options.limit, cursor: options.cursor }, context.signal)
  const records = listOf(page, 'records')
  const cursor = textOf(page, 'cursor')
  if (options.json === true) {
    const whole: unknown[] = []
    for (const record of records)
      whole.push(
        withText(fieldOf(record, 'truncated') === true ? await recordOf(client, textOf(record, 'id') ?? '', context.signal) : record),
      )
    return printJson(context, { records: whole, cursor })
  }
  const paint = paintFor(context)
  if (records.length === 0) {
    note(context, 'the quarantine is empty')
    // Events that a policy of drift quarantined are events, and somewhere else.
    const query = { reason: 'validate.quarantined', limit: 1 }
    const letters = numberOf(await client.get('/v1/deadletters', query, context.signal), 'total') ?? 0
    if (letters > 0) note(context, `${count(letters, 'event')} quarantined by policy: trunkline deadletters --reason validate.quarantined`)
  }
  for (const record of records) {
    print(
      context,
      safe`${instant(numberOf(record, 'receivedAtMs'))}  ${textOf(record, 'id') ?? '-'}  by ${textOf(record, 'via') ?? '?'}, record ${textOf(record, 'index') ?? '?'} of its request  ${sizeOf(numberOf(record, 'sizeBytes') ?? 0)}`,
    )
    print(context, `  ${paint('red', safe`${textOf(record, 'code') ?? '?'}`)}  ${escapeText(textOf(record, 'message') ?? '')}`)
    const text = textIn(bytesOf(record).subarray(0, PREVIEW_BYTES))
    print(context, `  ${paint('dim', text === null ? 'no text' : clip(escapeText(text), PREVIEW_CHARACTERS))}`)
  }
  if (cursor !== null) note(context, safe`more: --cursor ${cursor}`)
}

async function showRecord(context: Context, id: string, options: ShowOptions): Promise<void> {
  const record = await recordOf(clientOf(context.io, options), id, context.signal)
  const bytes = bytesOf(record)
  if (options.raw === true) {
    if (context.io.stdout.isTTY) note(context, 'these are exact bytes; `--raw > file` keeps them away from the terminal')
    // Exact bytes would let a record drive the terminal.
    context.io.stdout.write(context.io.stdout.isTTY ? `${linesOf(bytes).join('\n')}\n` : bytes)
    return
  }
  if (options.json === true) return printJson(context, withText(record))
  const paint = paintFor(context)
  const sizeBytes = numberOf(record, 'sizeBytes') ?? bytes.length
  print(context, paint('bold', safe`quarantined ${textOf(record, 'id') ?? id}`))
  print(context, `  ${paint('red', escapeText(textOf(record, 'code') ?? '?'))}  ${escapeText(textOf(record, 'message') ?? '')}`)
  print(
    context,
    safe`  received ${instant(numberOf(record, 'receivedAtMs'))} by ${textOf(record, 'via') ?? '?'}, record ${textOf(record, 'index') ?? '?'} of its request, ${count(sizeBytes, 'byte')}`,
  )
  if (sizeBytes > bytes.length)
    print(context, safe`  over the limit: only the first ${bytes.length} bytes are kept; SHA-256 of all ${textOf(record, 'sha256') ?? '?'}`)
  print(context)
  for (const line of linesOf(bytes)) print(context, line)
}

function recordOf(client: Client, id: string, signal: AbortSignal): Promise<unknown> {
  return client.get(`/v1/quarantine/${encodeURIComponent(id)}`, {}, signal)
}

/** The record with `text` beside its bytes where they are text. */
function withText(record: unknown): object {
  const text = textIn(bytesOf(record))
  return { ...(record as object), ...(text === null ? {} : { text }) }
}

function bytesOf(record: unknown): Uint8Array {
  return Buffer.from(textOf(record, 'bytesBase64') ?? '', 'base64')
}

/** Bytes as escaped lines: text, or base64 when they are none. */
function linesOf(bytes: Uint8Array): string[] {
  const text = textIn(bytes)
  return text === null ? ['no text; as base64:', Buffer.from(bytes).toString('base64')] : text.split(/\r?\n/).map(escapeText)
}

function textIn(bytes: Uint8Array): string | null {
  return isUtf8(bytes) ? Buffer.from(bytes).toString('utf8') : null
}

const PREVIEW_BYTES = 400
const PREVIEW_CHARACTERS = 100

/** The generated types are those of the schemas, and the real compiler says of them what a person in an editor would see. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { GENERATED, renderEventTypes } from '../../scripts/gen-event-types.ts'
import { decode } from '../../src/event/decode.ts'
import { isKnownTopic } from '../../src/event/topics.ts'
import { sample, sampleNames } from '../fixtures/genesys/samples.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const ACD_END = 'v2.detail.events.conversation.{id}.acd.end'
const ACW = 'v2.detail.events.conversation.{id}.acw'

/** What each file says, and what the compiler must say of it; an empty list: nothing. */
const FILES: Readonly<Record<string, { readonly text: string; readonly errors: readonly RegExp[] }>> = {
  'reads-a-field': {
    text: `export const deliver: Deliver<'${ACD_END}'> = (event) => text(event.body.queueId)`,
    errors: [],
  },
  'misspells-a-field': {
    text: `export const deliver: Deliver<'${ACD_END}'> = (event) => text(event.body.queueID)`,
    errors: [/^\(3,\d+\): error TS2551: Property 'queueID' does not exist .* Did you mean 'queueId'\?$/],
  },
  'narrows-by-topic': {
    text: `export const deliver: Deliver = (event) => {
  switch (event.topic) {
    case '${ACD_END}': return text(event.body.acdOutcome, event.body.answeredUserId)
    case 'v2.users.{id}.presence': return text(event.body.presenceDefinition?.systemPresence)
    default: return text(event.topic, event.topicName, event.id)
  }
}
export const one = (event: AnyEvent): void => { if (event.topic === '${ACW}') text(event.body.participantId) }`,
    errors: [],
  },
  'narrows-to-the-wrong-body': {
    text: `export const one = (event: AnyEvent): void => { if (event.topic === '${ACW}') text(event.body.acdOutcome) }`,
    errors: [/Property 'acdOutcome' does not exist on type 'DetailEventsConversationAcwBody'/],
  },
  'does-not-narrow': {
    text: `export const one = (event: AnyEvent): void => text(event.body.queueId)`,
    errors: [/'event\.body' is of type 'unknown'/],
  },
  'uses-what-two-topics-share': {
    text: `export const deliver: Deliver<'${ACD_END}' | '${ACW}'> = (event) => text(event.body.conversationId)`,
    errors: [],
  },
  'has-a-topic-without-schema': {
    text: `export const deliver: Deliver<'v2.users.{id}.callforwarding'> = (event) => text(event.body)`,
    errors: [/Argument of type 'unknown' is not assignable/],
  },
  'is-given-finished-conversations': {
    text: `export const deliver: Deliver<FinishedTopic> = ({ body, topic }) => text(topic, body.queueVisits.at(-1)?.queueId ?? '', body.wrapUp)`,
    errors: [/Property 'wrapUp' does not exist on type 'FinishedConversation'/],
  },
  'misspells-a-topic': {
    text: `export const deliver: Deliver<'v2.detail.events.conversation.{id}.acd.ended'> = () => undefined`,
    errors: [/'"v2\.detail\.events\.conversation\.\{id\}\.acd\.ended"' does not satisfy the constraint 'DeliveredTopic'/],
  },
  'compares-with-a-misspelt-topic': {
    text: `export const one = (event: AnyEvent): boolean => event.topic === 'v2.detail.events.conversation.{id}.acd.ended'`,
    errors: [/TS2367: This comparison appears to be unintentional/],
  },
  'takes-new-enum-values': {
    text: `type Outcome = NonNullable<EventBody<'${ACD_END}'>['acdOutcome']>
export const news: Outcome[] = ['ANSWERED', 'SOMETHING_NEW']
export const one = (outcome: Outcome): boolean => outcome === 'ABANDON' || outcome === 'ALSO_NEW'`,
    errors: [],
  },
  'writes-to-an-event': {
    text: `export const deliver: Deliver<'${ACD_END}'> = (event) => { event.body.queueId = ''; event.marks.push('redriven') }`,
    errors: [/'queueId' because it is a read-only property/, /Property 'push' does not exist/],
  },
  'has-a-field-that-may-be-missing': {
    text: `export const deliver: Deliver<'${ACD_END}'> = (event) => event.body.queueId.length`,
    errors: [/'event\.body\.queueId' is possibly 'undefined'/],
  },
  'uses-the-context': {
    text: `export const deliver: Deliver = async (event, { signal, idempotencyKey, redelivered }) => {
  text(idempotencyKey, event.source, redelivered ? event.conversationId ?? '' : '')
  await fetch('http://127.0.0.1/', { signal, method: 'POST', body: event.raw.slice() })
}`,
    errors: [],
  },
  'has-a-topic-of-its-own': {
    text: `export const deliver = (event: AnyEvent | CustomEvent<'order.placed', { readonly total: number }>, context: DeliverContext): void => {
  if (event.topic === 'order.placed') text(event.body.total.toFixed(2), context.idempotencyKey)
}`,
    errors: [],
  },
  'is-for-fewer-topics-than-it-gets': {
    text: `const narrow: Deliver<'${ACD_END}'> = () => undefined
export const deliver: Deliver = narrow`,
    errors: [/is not assignable to type 'Deliver'/],
  },
}

const folder = mkdtempSync(join(tmpdir(), 'trunkline-types-'))
after(() => rmSync(folder, { recursive: true, force: true }))

test('the generated files are what the schemas say', () => {
  const files = renderEventTypes()
  assert.deepEqual(readdirSync(GENERATED).toSorted(), [...files.keys()].toSorted(), 'run: node scripts/gen-event-types.ts')
  for (const [name, text] of files)
    assert.equal(readFileSync(new URL(name, GENERATED), 'utf8'), text, `${name} is stale; run: node scripts/gen-event-types.ts`)
})

const samples = (['eventbridge', 'websocket'] as const)
  .flatMap((from) => sampleNames(from).map((name) => ({ name, decoded: decode(sample(from, name), { maxBytes: 1_000_000 })[0] })))
  .flatMap(({ name, decoded }) =>
    decoded?.ok === true && isKnownTopic(decoded.event.topic) ? [{ name, topic: decoded.event.topic, raw: decoded.event.raw }] : [],
  )

test('the compiler says what a person needs to hear', async (t) => {
  const said = compile()
  for (const [name, { errors }] of Object.entries(FILES)) {
    await t.test(name, () => {
      const found = said.get(`${name}.ts`) ?? []
      assert.equal(found.length, errors.length, found.join('\n'))
      for (const [i, error] of errors.entries()) assert.match(found[i] ?? '', error)
    })
  }
  await t.test('real events fit their types', () => {
    assert.ok(samples.length > 5, 'samples were found')
    // The author of this sample added a field; the schemas do not have it, and a literal says so.
    const expected = samples.flatMap(({ name }, i) => (name === 'attributes' ? [`sample-${i}.ts`] : []))
    assert.deepEqual(
      [...said.keys()].filter((name) => name.startsWith('sample-')),
      expected,
      JSON.stringify([...said]),
    )
  })
})

/** What the compiler says of each file, without the file's name. */
function compile(): ReadonlyMap<string, readonly string[]> {
  const head = `import type { AnyEvent, CustomEvent, Deliver, DeliverContext, EventBody, FinishedTopic } from 'trunkline/events'
const text = (...values: readonly (string | undefined)[]): void => void values
`
  for (const [name, { text }] of Object.entries(FILES)) writeFileSync(join(folder, `${name}.ts`), `${head}${text}\n`)
  for (const [i, { topic, raw }] of samples.entries()) {
    const record = JSON.parse(Buffer.from(raw).toString()) as { detail?: { eventBody: unknown }; eventBody?: unknown }
    const body = JSON.stringify(record.detail?.eventBody ?? record.eventBody)
    writeFileSync(
      join(folder, `sample-${i}.ts`),
      `import type { EventBody } from 'trunkline/events'\nexport const body: EventBody<'${topic}'> = ${body}\n`,
    )
  }
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  // As in a folder of the clone itself: types without a build.
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(ROOT, join(folder, 'node_modules/trunkline'))
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({
      extends: join(ROOT, 'tsconfig.json'),
      compilerOptions: { isolatedDeclarations: false, declaration: false, typeRoots: [join(ROOT, 'node_modules/@types')] },
      include: ['*.ts'],
    }),
  )
  const tsc = join(ROOT, 'node_modules/.bin/tsc')
  const { stdout } = spawnSync(tsc, ['-p', folder, '--pretty', 'false'], { encoding: 'utf8', cwd: folder })
  const said = new Map<string, string[]>()
  for (const [, file = '', error = ''] of stdout.matchAll(/^([^\s(]+)(\(\d+,\d+\): error .*)$/gm))
    said.set(file, [...(said.get(file) ?? []), error])
  return said
}

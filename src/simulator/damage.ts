/** What goes wrong with single events: bodies that drifted from their schema, that grew too large, and records that are no events at all. */
import type { Chance } from './model/chance.ts'
import type { Emission } from './simulation.ts'

export type DriftKind = 'field' | 'value' | 'type'

/** The body with a field, an enum value or a type that its schema does not have. What tells events apart stays as it is. */
export function drifted(bodyText: string, chance: Chance): { readonly bodyText: string; readonly kind: DriftKind } {
  const drawn = chance.below(3)
  if (drawn > 0) {
    const changed = drawn === 1 ? replaced(bodyText, NEW_VALUES) : replaced(bodyText, NEW_TYPES)
    if (changed !== null) return { bodyText: changed, kind: drawn === 1 ? 'value' : 'type' }
  }
  return { bodyText: `${bodyText.slice(0, -1)},"simulatedField":"not in the schema"}`, kind: 'field' }
}

/** The body with 300 KiB to 1 MiB of legal text in it; null when the topic has no place for text. */
export function oversized({ topic, bodyText }: Emission, chance: Chance): string | null {
  const place = placeForText(topic, bodyText)
  if (place === null) return null
  const length = chance.between(300 * 1024, 1000 * 1024)
  const text = LONG_TEXT.repeat(Math.ceil(length / LONG_TEXT.length)).slice(0, length)
  const [at, opening, closing] = place
  return bodyText.slice(0, at) + opening + text + closing + bodyText.slice(at)
}

/** A record that nothing takes for an event, and no cutter of lines for more or less than one. */
export function malformed(record: string, { topic, topicName }: Emission, chance: Chance): string | Uint8Array {
  switch (chance.below(8)) {
    case 0:
      return '{}'
    case 1:
      return `{"version":"0","id":"${chance.uuid()}","detail-type":"${topic}","source":"aws.partner/genesys.com/cloud","detail":"${topicName}"}`
    case 2:
      return `{"topicName":${chance.below(1000)},"eventBody":null,"version":2}`
    case 3:
      return '{"topicName":"channel.metadata","eventBody":{"message":"WebSocket Heartbeat"}}'
    case 4:
      return chance.happens(0.5) ? 'null' : String(chance.between(1, 9))
    case 5:
      return `${record}}`
    case 6:
      return bytes(chance)
    default:
      return record.slice(0, chance.between(1, record.length - 1))
  }
}

type Change = readonly [pattern: RegExp, to: string]

const NEW_VALUES: readonly Change[] = [
  [/"disconnectType":"[A-Z_]+"/, '"disconnectType":"SIMULATED_REASON"'],
  [/"mediaType":"[A-Z]+"/, '"mediaType":"SIMULATED_MEDIUM"'],
  [/"status":"[A-Z_]+"/, '"status":"SIMULATED_STATUS"'],
]
const NEW_TYPES: readonly Change[] = [
  [/"(connectedDurationMs|interactingDurationMs|wrapupDurationMs|voicemailDurationMs)":(\d+)/, '"$1":"$2"'],
  [/"provider":("[^"]*")/, '"provider":{"name":$1}'],
  [/"joined":(true|false)/, '"joined":"$1"'],
]

function replaced(text: string, changes: readonly Change[]): string | null {
  for (const [pattern, to] of changes) if (pattern.test(text)) return text.replace(pattern, to)
  return null
}

const LONG_TEXT = 'Simulated text that is longer than anybody would write. '
const CONVERSATION = 'v2.detail.events.conversation.{id}.'

function placeForText(topic: string, bodyText: string): readonly [at: number, opening: string, closing: string] | null {
  if (!topic.startsWith(CONVERSATION)) return null
  if (topic === `${CONVERSATION}attributes`) {
    const at = bodyText.indexOf('"attributes":{') + '"attributes":{'.length
    return [at, '"Simulated text":"', bodyText[at] === '}' ? '"' : '",']
  }
  if (topic.startsWith(`${CONVERSATION}voicemail.`) || bodyText.includes('"subject":')) return null
  return [bodyText.length - 1, ',"subject":"', '"']
}

/** Bytes that are no UTF-8, without a line break among them. */
function bytes(chance: Chance): Uint8Array {
  const result = new Uint8Array(chance.between(8, 200))
  for (let i = 0; i < result.length; i++) {
    const byte = chance.below(256)
    result[i] = byte === 0x0a || byte === 0x0d ? 0x80 : byte
  }
  result[0] = 0xff
  result[1] = 0xfe
  return result
}

/** What is written on participants, and what becomes known of the other party. */
import { nameContact } from './conversation.ts'
import { tellAttributes, tellContact } from './detail-events.ts'
import type { Conversation, Participant } from './records.ts'
import { snapshotLater } from './snapshots.ts'
import type { World } from './world.ts'

/** Adds to a participant's attributes. No two changes of one conversation have the same instant. */
export function putAttributes(
  world: World,
  conversation: Conversation,
  participant: Participant,
  attributes: Readonly<Record<string, string>>,
): void {
  for (const [name, value] of Object.entries(attributes)) {
    define(participant.attributes, name, value)
    define(conversation.attributes, name, value)
  }
  conversation.attributesAtMs = Math.max(world.nowMs, conversation.attributesAtMs + 1)
  tellAttributes(world, conversation, participant, conversation.attributesAtMs)
  snapshotLater(world, conversation)
}

/** A flow or a script writes something. Real names have spaces, brackets and worse. */
export function writeSomething(world: World, conversation: Conversation, participant: Participant): void {
  const { chance } = conversation
  const [name, values] = chance.pick(ATTRIBUTES)
  putAttributes(world, conversation, participant, { [name]: values === null ? String(chance.below(100_000)) : chance.pick(values) })
}

/** Somebody finds out who the other party is. */
export function findContact(world: World, conversation: Conversation): void {
  const { customer, chance } = conversation
  if (customer === null || conversation.externalOrganizationId !== null) return
  conversation.externalContactId ??= chance.uuid()
  conversation.externalOrganizationId = chance.uuid()
  nameContact(conversation)
  tellContact(world, conversation, customer)
}

/** Names come from outside: `__proto__` is a name like another. */
function define(record: Record<string, string>, name: string, value: string): void {
  Object.defineProperty(record, name, { value, enumerable: true, configurable: true, writable: true })
}

const ATTRIBUTES: readonly (readonly [name: string, values: readonly string[] | null])[] = [
  ['Customer Number', null],
  ['  Case', null],
  ['Language', ['en-US', 'de-DE', 'es-ES']],
  ['LLM (AW) question', ['How do I pay my bill?', 'Wo ist mein Paket?', '¿Cuándo llega el técnico?']],
  ['outage_flag', ['true', 'false']],
  ['Intent', ['billing', 'delivery', 'contract', 'other']],
  ['Survey.OptIn', ['yes', 'no']],
]

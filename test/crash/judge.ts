/** Compares what arrived with what was sent and acknowledged. Every finding is a sentence; none means all is well. */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type FlakyReceiver, numberIn } from './receiver.ts'
import type { Oracle } from './traffic.ts'

const MOST_FINDINGS = 20

/** The lines of a file sink, oldest first. */
export function linesOf(dir: string, findings: string[]): string[] {
  return readdirSync(dir)
    .sort()
    .flatMap((name) => {
      const text = readFileSync(join(dir, name), 'utf8')
      if (text !== '' && !text.endsWith('\n')) findings.push(`${name} ends in half a line`)
      return text.split('\n').slice(0, -1)
    })
}

/** Every acknowledged event once, nothing nobody sent, every line as it was sent. */
export function judgeFiles(oracle: Oracle, lines: readonly string[], findings: string[]): void {
  const found = new Map<number, number>()
  for (const line of lines) {
    const number = numberIn(line)
    found.set(number, (found.get(number) ?? 0) + 1)
    judgeDocument(oracle, line, findings)
  }
  for (const number of oracle.acknowledged)
    if (!found.has(number)) findings.push(`event ${number} was acknowledged and is not in the files`)
  for (const [number, times] of found) if (times > 1) findings.push(`event ${number} is ${times} times in the files`)
  findings.splice(MOST_FINDINGS)
}

/** Within a conversation, events stand in the order they arrived: by Trunkline's id and by the client's own count. */
export function judgeOrder(oracle: Oracle, lines: readonly string[], findings: string[]): void {
  const last = new Map<string, { id: string; number: number }>()
  for (const line of lines) {
    const number = numberIn(line)
    const id = (JSON.parse(line) as { trunkline: { id: string } }).trunkline.id
    const conversation = oracle.conversationOf.get(number) ?? '?'
    const before = last.get(conversation)
    if (before !== undefined && (before.id >= id || before.number >= number))
      findings.push(`${conversation}: event ${number} (${id}) comes after ${before.number} (${before.id})`)
    last.set(conversation, { id, number })
  }
  findings.splice(MOST_FINDINGS)
}

/** At least once at the receiver; one Idempotency-Key an event and one event a key; repeats only as many as may be. */
export function judgeReceiver(oracle: Oracle, receiver: FlakyReceiver, mostRepeats: number, findings: string[]): number {
  let repeats = 0
  const owners = new Map<string, number>()
  for (const number of oracle.acknowledged)
    if (!receiver.taken.has(number)) findings.push(`event ${number} was acknowledged and never reached the receiver`)
  for (const [number, keys] of receiver.keys) {
    if (keys.size !== 1) findings.push(`event ${number} came under ${keys.size} idempotency keys`)
    for (const key of keys) {
      if (owners.has(key)) findings.push(`events ${owners.get(key)} and ${number} share an idempotency key`)
      owners.set(key, number)
    }
  }
  for (const [, bodies] of receiver.taken) {
    repeats += bodies.length - 1
    for (const body of bodies) judgeDocument(oracle, body, findings)
  }
  if (repeats > mostRepeats) findings.push(`${repeats} deliveries were repeated, though at most ${mostRepeats} can have been under way`)
  findings.splice(MOST_FINDINGS)
  return repeats
}

/** Quarantine holds the exact bytes of every record acknowledged as quarantined. */
export function judgeQuarantine(oracle: Oracle, texts: readonly string[], findings: string[]): void {
  const kept = new Set(texts)
  for (const text of oracle.quarantined) if (!kept.has(text)) findings.push(`not in quarantine: ${text}`)
  findings.splice(MOST_FINDINGS)
}

function judgeDocument(oracle: Oracle, text: string, findings: string[]): void {
  let document: Record<string, unknown>
  try {
    document = JSON.parse(text) as Record<string, unknown>
  } catch {
    findings.push(`no JSON: ${text.slice(0, 80)}`)
    return
  }
  delete document['trunkline']
  const bare = JSON.stringify(document)
  if (!(oracle.sent.get(numberIn(text)) ?? []).includes(bare)) findings.push(`nobody sent: ${bare.slice(0, 200)}`)
}

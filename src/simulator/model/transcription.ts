/** `v2.conversations.{id}.transcription`: what is said in a call, utterance by utterance, and the keep-alives round it. */
import { isoOf } from './iso.ts'
import type { Leg } from './records.ts'
import { TRANSCRIPTION } from './topics.ts'
import { after, type World } from './world.ts'

const SENTENCES: readonly string[] = [
  'thank you for calling how can I help',
  'I would like to know where my order is',
  'let me have a look at that for you',
  'could you give me the order number please',
  'it should arrive on Thursday',
  'gracias por llamar',
  'is there anything else I can do',
  'no that was all thank you',
]

/** Begins with the leg and ends with it. */
export function transcribe(world: World, leg: Leg): void {
  const startMs = world.nowMs
  publish(world, leg, startMs, `"status":{"offsetMs":0,"status":"SESSION_ONGOING"}`)
  const speak = (): void => {
    if (leg.endMs !== null) return publish(world, leg, startMs, `"status":{"offsetMs":${world.nowMs - startMs},"status":"SESSION_ENDED"}`)
    if (leg.phase === 'interact') publish(world, leg, startMs, `"transcripts":[${utterance(leg, world.nowMs - startMs)}]`)
    after(world, leg.conversation.chance.between(3_000, 9_000), speak)
  }
  after(world, leg.conversation.chance.between(1_000, 3_000), speak)
}

function utterance(leg: Leg, untilMs: number): string {
  const { chance } = leg.conversation
  const sentence = chance.pick(SENTENCES)
  const words = sentence.split(' ')
  const offsetMs = Math.max(0, untilMs - words.length * 300)
  const list = words.map(
    (word, n) => `{"confidence":${confidence(chance.below(200))},"offsetMs":${offsetMs + n * 300},"durationMs":240,"word":"${word}"}`,
  )
  const alternative =
    `{"confidence":${confidence(chance.below(150))},"offsetMs":${offsetMs},"durationMs":${words.length * 300}` +
    `,"transcript":"${sentence}","words":[${list.join(',')}],"decoratedTranscript":"${sentence}"}`
  return (
    `{"utteranceId":"${chance.uuid()}","isFinal":true,"channel":"${chance.happens(0.5) ? 'INTERNAL' : 'EXTERNAL'}"` +
    `,"alternatives":[${alternative}],"engineProvider":"GENESYS","dialect":"en-US"}`
  )
}

/** 0.801 to 1, without arithmetic that could print differently. */
function confidence(below: number): string {
  return below === 0 ? '1' : `0.${String(1000 - below)}`
}

function publish(world: World, leg: Leg, startMs: number, rest: string): void {
  if (!world.outlet.wants(TRANSCRIPTION)) return
  const { conversation, session } = leg
  const text =
    `{"eventTime":"${isoOf(world.nowMs)}","organizationId":"${world.fixtures.organization.id}","conversationId":"${conversation.id}"` +
    `,"communicationId":"${session.id}","sessionStartTimeMs":${session.startMs},"transcriptionStartTimeMs":${startMs},${rest}}`
  world.outlet.publish(TRANSCRIPTION, conversation.id, world.nowMs, text, conversation.chance)
}

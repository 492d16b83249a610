import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KNOWN_TOPICS } from '../event/known-topics.ts'
import { run } from './_test-io.ts'
import { testService, type TestService } from './_test-service.ts'
import { shortOf } from './format.ts'
import { topicMeant } from './topic.ts'

const ACD_END = 'v2.detail.events.conversation.{id}.acd.end'
const OWN = 'v2.things.{id}.made'

test('every documented topic is found by what lists show, but where two look the same, which is said', () => {
  for (const topic of KNOWN_TOPICS) {
    assert.equal(topicMeant(topic), topic)
    if (shortOf(topic) === 'users.conversations.recordings') assert.throws(() => topicMeant(shortOf(topic)), /stands for several/)
    else assert.equal(topicMeant(shortOf(topic)), topic)
  }
})

test('also without version or ids, with real ids, and topics that only the traffic has; nothing else', () => {
  assert.equal(topicMeant('v2.detail.events.conversation.acd.end'), ACD_END)
  assert.equal(topicMeant('v2.detail.events.conversation.2f7bf00a-0fc2-4d6a-9b56-92238191433e.acd.end'), ACD_END)
  for (const typed of [OWN, 'things.made', 'v2.things.12345678.made']) assert.equal(topicMeant(typed, [OWN]), OWN)
  for (const typed of ['things.made', 'acd.end', '', '__proto__', 'v2.detail.events.*']) assert.equal(topicMeant(typed), null, typed)
})

test('--topic asks for the topic that is meant; nothing under a name that is no topic is a mistake', async (t) => {
  const service = await testService(t, ({ path }) => ({
    json:
      path === '/v1/schemas/drift'
        ? { drift: [], topics: { [OWN]: 3 }, events: 9 }
        : { events: [], deadLetters: [], matched: 0, redriven: 0, cursor: null },
  }))
  const env = { TRUNKLINE_URL: service.url }
  for (const verb of [['events'], ['deadletters'], ['deadletters', 'redrive'], ['schemas', 'drift']]) {
    for (const [typed, topic] of [
      ['conversation.acd.end', ACD_END],
      ['things.made', OWN],
      ['trunkline.conversations.finished', 'trunkline.conversations.{id}.finished'],
    ] as const) {
      const { code, err } = await run([...verb, '--topic', typed], { env })
      assert.equal(code, 0, err)
      assert.equal(topicOf(service), topic, verb.join(' '))
    }
    const wrong = await run([...verb, '--topic', 'conversation.acd.edn'], { env })
    assert.equal(wrong.code, 2)
    assert.match(
      wrong.err,
      /^trunkline: "conversation\.acd\.edn" is no topic .*\[topic\.unknown\]\n {2}fix: The nearest are v2\.detail\.events\.conversation\.\{id\}\.acd\.end,/,
    )
  }
  assert.match((await run(['schemas', 'drift', '--topic', 'things.made'], { env })).err, /no drift in 3 events of v2\.things\.\{id\}\.made/)
})

test('an event that came under an unknown name is shown', async (t) => {
  const service = await testService(t, ({ path }) => ({ json: path === '/v1/events' ? { events: [{ id: 'e1', topic: 'odd' }] } : {} }))
  const { code, out, err } = await run(['events', '--topic', 'odd', '--url', service.url])
  assert.deepEqual([code, err], [0, ''])
  assert.match(out, /e1 +odd/)
})

function topicOf(service: TestService): string | undefined {
  const last = service.asked.at(-1)
  return last?.method === 'POST' ? (JSON.parse(last.body.toString()) as { topic: string }).topic : last?.query['topic']
}

/** One-to-one matching of the copies that two channels give. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { contentOf, Copies } from './copies.ts'
import { readFrame } from './frames.ts'

type Given = { readonly channel: string; readonly body: string }

const bodies = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 30 })

function passed(copies: Copies<string>, given: readonly Given[]): string[] {
  return given.filter(({ channel, body }) => copies.isFirst(channel, () => body, 0)).map(({ body }) => body)
}

/** Two lists merged by a list of choices: each keeps its order. */
function interleaved(left: readonly Given[], right: readonly Given[], choices: readonly boolean[]): Given[] {
  const merged: Given[] = []
  const rest: [Given[], Given[]] = [[...left], [...right]]
  for (let i = 0; rest[0].length + rest[1].length > 0; i++) {
    const side = choices[i % choices.length] === true ? 0 : 1
    const next = rest[side].shift() ?? rest[side === 0 ? 1 : 0].shift()
    if (next !== undefined) merged.push(next)
  }
  return merged
}

describe('copies', () => {
  it('any interleaving of two copies of a sequence with repeats gives its multiset exactly', () => {
    fc.assert(
      fc.property(bodies, fc.array(fc.boolean(), { minLength: 1 }), (sequence, choices) => {
        const from = (channel: string): Given[] => sequence.map((body) => ({ channel, body }))
        const copies = new Copies<string>(1_000, 10_000)
        copies.add('A')
        copies.add('B')
        assert.deepEqual(passed(copies, interleaved(from('A'), from('B'), choices)).sort(), [...sequence].sort())
        copies.remove('A')
        assert.deepEqual(passed(copies, from('B')), sequence, 'alone again, nothing is held against it')
      }),
    )
  })

  it('even when each channel shuffles: order is never promised', () => {
    const shuffled = bodies.chain((sequence) =>
      fc.tuple(
        fc.shuffledSubarray(sequence, { minLength: sequence.length }),
        fc.shuffledSubarray(sequence, { minLength: sequence.length }),
      ),
    )
    fc.assert(
      fc.property(shuffled, fc.array(fc.boolean(), { minLength: 1 }), ([left, right], choices) => {
        const copies = new Copies<string>(1_000, 10_000)
        copies.add('A')
        copies.add('B')
        const from = (channel: string, sequence: readonly string[]): Given[] => sequence.map((body) => ({ channel, body }))
        const given = interleaved(from('A', left), from('B', right), choices)
        assert.deepEqual(passed(copies, given).sort(), [...left].sort())
      }),
    )
  })

  it('three channels are matched too', () => {
    const copies = new Copies<string>(1_000, 10_000)
    for (const channel of ['A', 'B', 'C']) copies.add(channel)
    const given = ['A', 'A', 'B', 'C', 'B', 'C', 'C', 'A', 'B'].map((channel) => ({ channel, body: 'x' }))
    assert.equal(passed(copies, given).length, 3)
    assert.equal(copies.size, 0)
  })

  it('does not hold what one channel had alone against a later event that says the same', () => {
    const copies = new Copies<string>(1_000, 10_000)
    copies.add('A')
    copies.add('B')
    const content = (): string => 'x'
    assert.ok(copies.isFirst('A', content, 0), 'before B was subscribed')
    assert.ok(copies.isFirst('A', content, 100), 'this one B will give too')
    copies.cannotGive('B', 50)
    assert.ok(!copies.isFirst('B', content, 101))
    assert.ok(copies.isFirst('B', content, 102), 'and this is new')
    copies.remove('A')
    assert.equal(copies.size, 0)
    copies.add('C')
    assert.ok(copies.isFirst('B', content, 1_000))
    assert.ok(copies.isFirst('C', content, 2_001), 'too late to be its like')
  })

  it('is bounded, and counts what it forgot too early', () => {
    const copies = new Copies<string>(1_000, 100)
    copies.add('A')
    copies.add('B')
    for (let n = 0; n < 5_000; n++) copies.isFirst('A', () => `${n}`, n / 100)
    assert.equal(copies.size, 100)
    assert.equal(copies.forgotten, 4_900)
    copies.isFirst('A', () => 'z', 5_000)
    assert.equal(copies.size, 1)
  })

  it('compares messages without metadata and without regard to the order of keys, and numbers to the last digit', () => {
    const keyOf = (text: string): string => contentOf(readFrame(Buffer.from(text), false), Buffer.from(text))
    const a = '{"topicName":"v2.users.u.station","eventBody":{"a":1,"b":2},"metadata":{"CorrelationId":"x"}}'
    assert.equal(keyOf(a), keyOf('{"eventBody":{"b":2,"a":1},"topicName":"v2.users.u.station"}'))
    assert.notEqual(keyOf(a), keyOf('{"eventBody":{"b":2,"a":2},"topicName":"v2.users.u.station"}'))
    const big = (digits: string): string => `{"topicName":"v2.users.u.station","eventBody":{"n":${digits}}}`
    assert.notEqual(keyOf(big('9007199254740993')), keyOf(big('9007199254740992')))
    assert.equal(keyOf('not json'), keyOf('not json'))
    assert.notEqual(keyOf('not json'), keyOf('not json '))
  })
})

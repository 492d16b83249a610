import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { oneLine, readMessage } from './function-messages.ts'

test('anything can come from a process: what is no message is null, and what is one has fields of the right kind and size', () => {
  const type = fc.constantFrom('loaded', 'refused', 'done', 'threw', 'heard', 'waits', 'crashed', 'exiting', 'call', 'toString', '')
  const forged = fc.record(
    { type: fc.oneof(type, fc.anything()), id: fc.anything(), thrown: fc.anything(), message: fc.anything(), hint: fc.anything() },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(fc.oneof(fc.anything(), forged), (value) => {
      const message = readMessage(value)
      if (message === null) return
      if ('id' in message && message.id !== null) assert.equal(typeof message.id, 'number')
      const texts = 'thrown' in message ? [message.thrown.text] : 'hint' in message ? [message.message, message.hint] : []
      for (const text of texts) assert.ok(typeof text === 'string' && text.length <= 1_001)
      if ('thrown' in message) assert.equal(typeof message.thrown.permanent, 'boolean')
    }),
  )
})

test('an answer without a call is none', () => {
  for (const type of ['done', 'threw', 'heard', 'waits']) {
    assert.equal(readMessage({ type }), null)
    assert.equal(readMessage({ type, id: '1' }), null)
  }
  assert.deepEqual(readMessage({ type: 'threw', id: 1, thrown: null }), { type: 'threw', id: 1, thrown: { text: '', permanent: false } })
  assert.deepEqual(readMessage({ type: 'exiting', id: {} }), { type: 'exiting', id: null })
})

test('a text becomes one bounded line that steers no terminal', () => {
  assert.equal(oneLine('a\n\u001b[31m b\u202e\u0000c '), 'a [31m b c')
  assert.equal(oneLine('😀'.repeat(600)), `${'😀'.repeat(500)}…`)
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 3_000 }),
      (text) => !/[\p{C}\u2028]/u.test(oneLine(text)) && [...oneLine(text)].length <= 501,
    ),
  )
})

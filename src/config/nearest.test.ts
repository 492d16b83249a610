import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nearestName } from './nearest.ts'

const KEYS = ['host', 'port', 'maxBodyBytes', 'headersTimeoutMs', 'requestTimeoutMs']

test('finds the slip of a word: a letter wrong, missing, doubled or swapped, or another case', () => {
  for (const typed of ['prot', 'porrt', 'por', 'pord', 'PORT'])
    assert.deepEqual(nearestName(typed, KEYS), { name: 'port', close: true }, typed)
  assert.deepEqual(nearestName('maxbodybites', KEYS), { name: 'maxBodyBytes', close: true })
})

test('takes a word without its unit for the word', () => {
  assert.deepEqual(nearestName('requestTimeout', KEYS), { name: 'requestTimeoutMs', close: true })
})

test('names the nearest also when nothing is near, and says so', () => {
  assert.equal(nearestName('quarantine', KEYS)?.close, false)
  assert.equal(nearestName('x', []), null)
})

test('a very long name costs little', () => {
  assert.equal(nearestName('x'.repeat(1_000_000), KEYS)?.close, false)
})

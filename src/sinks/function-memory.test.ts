import assert from 'node:assert/strict'
import { test } from 'node:test'
import { retry } from '../pipeline/outcome.ts'
import { GRACE_MS, TIMEOUT_MS, until, userFunction } from '../testing/user-function.ts'

test('out of memory goes before out of time, which comes first', async () => {
  const at = await userFunction("export const deliver = () => { log('begun'); const all = []; for (;;) all.push(all.length + 0.5) }", {
    maxMemoryBytes: 32 * 1024 * 1024,
  })
  const outcome = at.deliver()
  await at.printed('begun')
  at.clock.pass(TIMEOUT_MS)
  assert.deepEqual(await outcome, retry('sink.function_out_of_memory', 'the limit is 32 MiB'))
  assert.deepEqual(
    at.lines.map((line) => line.replace(/ERROR: .* Allocation/, 'ERROR: Allocation')),
    ['begun', 'FATAL ERROR: Allocation failed - JavaScript heap out of memory'],
  )
})

test('also when the process takes longer than it has to end', async () => {
  const at = await userFunction(`export const deliver = () => {
    process.stderr.write('FATAL ERROR: Allocation failed - JavaScript heap out of memory\\n')
    return new Promise(() => {})
  }`)
  const outcome = at.deliver()
  await until(() => at.lines.length > 0)
  at.clock.pass(TIMEOUT_MS)
  await until(() => at.clock.waiting() === 2)
  at.clock.pass(GRACE_MS)
  assert.deepEqual(await outcome, retry('sink.function_out_of_memory', 'the limit is 128 MiB'))
})

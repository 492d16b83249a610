import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, openSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { TrunklineError } from '../errors.ts'
import { testIo } from './_test-io.ts'
import { main } from './main.ts'

const COMMAND = fileURLToPath(new URL('../../bin/trunkline.js', import.meta.url))
const FULL = '/dev/full'

/** The command as a process whose output cannot be written. */
function intoFull(argv: readonly string[]): Promise<{ readonly code: number | null; readonly err: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [COMMAND, ...argv], { stdio: ['ignore', openSync(FULL, 'w'), 'pipe'] })
    let err = ''
    child.stderr?.on('data', (chunk: Buffer) => (err += chunk.toString()))
    child.on('close', (code) => resolve({ code, err }))
  })
}

test('output that cannot be written is a failure', { skip: !existsSync(FULL), timeout: 60_000 }, async () => {
  for (const argv of [['topics'], ['schemas', 'list', '--json'], ['--help'], ['simulate', '--speed', 'max', '--duration', '1h']]) {
    const { code, err } = await intoFull(argv)
    assert.equal(code, 1, argv.join(' '))
    assert.match(err, /could not be written to its end \(ENOSPC\)\. \[cli\.output_failed\]\n {2}fix: /)
    // What was made did not arrive.
    assert.ok(!err.includes('synthetic event'), err)
  }
})

test('output that nobody reads is none', async () => {
  for (const [reason, code] of [[undefined, 0] as const, [new TrunklineError('cli.output_failed', 'No room.', ''), 1] as const]) {
    const io = testIo()
    io.closeOutput(reason)
    assert.equal(await main(['topics'], io), code)
    assert.equal(io.err().includes('No room. [cli.output_failed]'), code === 1)
  }
})

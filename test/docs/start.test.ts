/** `npm start` in the tree itself: ready on its address, and gone after Ctrl-C. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ROOT } from './_pages.ts'

test('npm start is ready and stops', { timeout: 90_000 }, async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'trunkline-start-'))
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TRUNKLINE_')))
  const child = spawn('npm', ['start', '--', '--port', '0', '--data-dir', dataDir], {
    cwd: ROOT,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const closed = once(child, 'close')
  try {
    let output = ''
    const url = await new Promise<string>((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding('utf8').on('data', (text: string) => {
          output += text
          const found = /ready on (http:\S+)\n/.exec(output)
          if (found !== null) resolve(found[1] ?? '')
        })
      void closed.then(() => reject(new Error(`npm start ended: ${output}`)))
    })
    const ready = await fetch(`${url}/readyz`)
    assert.equal(ready.status, 200)
    assert.match(await (await fetch(url)).text(), /Trunkline is running/)
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGINT')
    await closed
    await assert.rejects(fetch(`${url}/readyz`))
  } finally {
    if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    rmSync(dataDir, { recursive: true, force: true })
  }
})

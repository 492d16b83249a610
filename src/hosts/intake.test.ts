import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { TrunklineError } from '../errors.ts'
import type { Log } from '../log/log.ts'
import { Intake } from './intake.ts'

describe('intake', () => {
  it('warns that the log refuses at once, then once a minute, and not when the service is stopping', async (t) => {
    let nowMs = 1_000_000
    let code = 'log.disk_full'
    const warnings: string[] = []
    const log = {
      pendingBytes: 0,
      append: () => Promise.reject(new TrunklineError(code, 'no space left', 'Free space.')),
    } as unknown as Log
    const intake = new Intake({
      log,
      maxBodyBytes: 1024,
      nowMs: () => nowMs,
      explain: (error) => error,
      warn: (error) => warnings.push(`${error.code}: ${error.message}`),
    })
    const url = await served(t, intake)
    const post = async (): Promise<number> => (await fetch(url, { method: 'POST', body: '{}' })).status

    assert.equal(await post(), 503)
    assert.deepEqual(warnings, ['log.disk_full: no space left'])
    for (let i = 0; i < 5; i++) assert.equal(await post(), 503)
    assert.equal(warnings.length, 1)
    nowMs += 60_000
    await post()
    assert.equal(warnings.length, 2)
    nowMs += 60_000
    code = 'log.closing'
    await post()
    assert.equal(warnings.length, 2)
  })
})

async function served(t: TestContext, intake: Intake): Promise<string> {
  const server = createServer((request, response) => intake.handle(request, response, ''))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/**
 * The process under test: the real service from the configuration file in the folder it is started in. Says
 * `{"url":...,"pid":...}` on stdout when it serves; SIGTERM drains, a second one ends it at once; exits 2 when it must not start.
 */
import { writeSync } from 'node:fs'
import { loadConfig } from '../../src/config/load.ts'
import { TrunklineError } from '../../src/errors.ts'
import { startService } from '../../src/hosts/service.ts'

const loaded = await loadConfig({ cwd: process.cwd(), env: process.env })
if ('errors' in loaded) fail(JSON.stringify(loaded.errors))
else
  try {
    const keys = process.env['TRUNKLINE_TEST_KEYS_IN_MEMORY']
    const service = await startService({
      config: loaded.config,
      mode: 'dev',
      simulate: false,
      env: process.env,
      ...(keys === undefined ? {} : { keysInMemory: Number(keys) }),
    })
    let asked = false
    process.on('SIGTERM', () => {
      if (asked) process.exit(130)
      asked = true
      void service.stop()
    })
    service.stopped.then(
      () => process.exit(0),
      (error: unknown) => {
        writeSync(2, `gave up: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
        process.exit(1)
      },
    )
    writeSync(1, `${JSON.stringify({ url: service.url, pid: process.pid })}\n`)
  } catch (error) {
    if (!(error instanceof TrunklineError)) throw error
    fail(`${error.code}: ${error.message}`)
  }

function fail(message: string): never {
  writeSync(2, `${message}\n`)
  process.exit(2)
}

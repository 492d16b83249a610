/**
 * Preload module (`--import`) of the process under test. Worker threads inherit it, so it hears the durable steps of the
 * thread it is loaded in; each thread counts for itself.
 *
 *   TRUNKLINE_TEST_KILL_AT=log.synced:3    SIGKILL to the own process at the third `log.synced`, inside the step itself
 *   TRUNKLINE_TEST_TELL_STEPS=1            every step as a line `step <name>` on stderr, written before the step returns
 */
import { subscribe } from 'node:diagnostics_channel'
import { writeSync } from 'node:fs'

const [wanted, nth] = (process.env.TRUNKLINE_TEST_KILL_AT ?? '').split(':')
const tell = process.env.TRUNKLINE_TEST_TELL_STEPS === '1'
let left = Number(nth ?? 1)

if (wanted !== '' || tell)
  subscribe('trunkline.step', (name) => {
    if (tell) writeSync(2, `step ${String(name)}\n`)
    if (name !== wanted || --left !== 0) return
    writeSync(2, `killed at ${wanted}\n`)
    process.kill(process.pid, 'SIGKILL')
  })

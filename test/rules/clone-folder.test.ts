/** In a clone npm runs the command in the root of the clone; what it does is meant for the folder it was called from. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

function folder(t: TestContext): string {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'trunkline-clone-')))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

const init = (cwd: string, env: Readonly<Record<string, string>>): string =>
  execFileSync(process.execPath, [join(ROOT, 'bin/trunkline.js'), 'init', 'sub'], { cwd, env, encoding: 'utf8' })

test('run by npm from the clone, paths are relative to the folder of the caller', (t) => {
  const here = folder(t)
  const out = init(ROOT, { npm_lifecycle_event: 'trunkline', INIT_CWD: here })
  assert.match(out, /^wrote sub\/trunkline\.config\.ts$/m)
  assert.ok(existsSync(join(here, 'sub', 'trunkline.config.ts')))
  assert.ok(!existsSync(join(ROOT, 'sub')))
})

test('run in any other way, the working folder is what counts', (t) => {
  for (const env of [{ INIT_CWD: folder(t) }, { npm_lifecycle_event: 'trunkline', INIT_CWD: folder(t) }] as Record<string, string>[]) {
    const here = folder(t)
    init(here, env)
    assert.ok(existsSync(join(here, 'sub', 'trunkline.config.ts')))
    assert.ok(!existsSync(join(env['INIT_CWD'] ?? '', 'sub')))
  }
})

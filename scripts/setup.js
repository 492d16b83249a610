// Runs before start, test, check and bench: installs dependencies when they are absent or older than the lockfile,
// so that one command on a fresh clone is enough. Plain JavaScript that any Node can run: the right Node comes with
// the install (node_modules/.bin is first on PATH inside npm scripts).
import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const marker = `${root}node_modules/.package-lock.json`
const lockfile = `${root}package-lock.json`
const fresh = existsSync(marker) && statSync(marker).mtimeMs >= statSync(lockfile).mtimeMs
if (!fresh) {
  process.stderr.write('trunkline: installing dependencies (once, well under a minute)...\n')
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  // Not `npm ci`: where the registry lacks a binary of some other platform, the lockfile cannot name it, and `ci` refuses
  // the whole tree for it. `install` takes the same versions from the lockfile and leaves the file as it is.
  const run = spawnSync(npm, ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  })
  if (run.status !== 0) {
    process.stderr.write('trunkline: npm install failed; see the lines above\n')
    process.exit(1)
  }
}

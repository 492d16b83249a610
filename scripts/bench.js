// `npm run bench`: builds the package and measures what users install, not the clone (which strips types at start and
// keeps a compiler in memory for it). Arguments go to `trunkline bench`.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const layout = mkdtempSync(join(tmpdir(), 'trunkline-built-'))
try {
  const build = spawnSync(process.execPath, [join(root, 'scripts/build.js')], { cwd: root, stdio: ['ignore', 2, 2] })
  if (build.status !== 0) process.exit(1)
  for (const part of ['bin', 'dist', 'package.json']) cpSync(join(root, part), join(layout, part), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(layout, 'node_modules'))
  const run = spawnSync(process.execPath, [join(layout, 'bin/trunkline.js'), 'bench', ...process.argv.slice(2)], { stdio: 'inherit' })
  process.exitCode = run.status ?? 1
} finally {
  rmSync(layout, { recursive: true, force: true })
}

// `npm run check`: format, lint (with types), types, unused code. `--all` adds the packed package, which takes a build.
// One line a check; what a failing one printed follows its line. Exit 1 when any failed; all of them run.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const FOLDERS = ['src', 'test', 'bench', 'scripts', 'bin', 'examples'].filter((folder) => existsSync(join(root, folder)))
const all = process.argv.includes('--all')

const checks = [
  { name: 'format', hint: 'npm run format', run: () => tool('oxfmt', '--check', ...FOLDERS) },
  { name: 'lint', hint: 'npx oxlint --fix mends some', run: () => tool('oxlint', '--max-warnings=0', ...FOLDERS) },
  { name: 'types', hint: '', run: () => tool('tsc', '-p', 'tsconfig.json') },
  { name: 'unused', hint: 'a use that it cannot see goes into knip.json', run: () => tool('knip', '--no-progress', '--no-config-hints') },
  {
    name: 'unused when published',
    hint: 'only tests use it',
    run: () => tool('knip', '--no-progress', '--no-config-hints', '--production', '--include', 'files,dependencies,unlisted,unresolved'),
  },
  ...(all ? [{ name: 'package', hint: '', run: checkPackage }] : []),
]

const failed = []
for (const { name, hint, run } of checks) {
  const startedAtMs = performance.now()
  const { ok, output } = await run()
  const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1)
  process.stdout.write(`${ok ? 'ok    ' : 'FAILED'} ${name} ${seconds} s${ok || hint === '' ? '' : ` (${hint})`}\n`)
  if (ok) continue
  failed.push(name)
  process.stdout.write(`${output.trim().replaceAll(/^/gm, '    ')}\n`)
}
process.stdout.write(failed.length === 0 ? `check: ${checks.length} of ${checks.length} ok\n` : `check: failed: ${failed.join(', ')}\n`)
process.exitCode = failed.length === 0 ? 0 : 1

async function checkPackage() {
  const folder = mkdtempSync(join(tmpdir(), 'trunkline-check-'))
  try {
    const { packTarball } = await import('./pack-tarball.ts')
    const { tarball } = packTarball(folder)
    const answers = [await tool('publint', 'run', tarball, '--strict'), await tool('attw', tarball, '--profile', 'esm-only')]
    return { ok: answers.every(({ ok }) => ok), output: answers.map(({ output }) => output).join('\n') }
  } catch (error) {
    return { ok: false, output: error instanceof Error ? error.message : String(error) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function tool(name, ...args) {
  return new Promise((resolve) => {
    const command = join(root, 'node_modules/.bin', name)
    // Some tools colour whatever they write to when CI is set.
    const env = process.stdout.isTTY ? process.env : { ...process.env, NO_COLOR: '1' }
    const child = spawn(command, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'], shell: process.platform === 'win32' })
    let output = ''
    child.stdout.on('data', (chunk) => (output += chunk))
    child.stderr.on('data', (chunk) => (output += chunk))
    child.on('error', (error) => resolve({ ok: false, output: `${command}: ${error.message}` }))
    child.on('close', (code, signal) => resolve({ ok: code === 0, output: signal === null ? output : `${output}\nended by ${signal}` }))
  })
}

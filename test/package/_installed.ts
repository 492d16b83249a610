/** The package as its users have it: packed from the tree and installed by npm in a folder of its own. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { packTarball, runOrThrow, withThisNode, type Packed } from '../../scripts/pack-tarball.ts'

export type Installed = Packed & { readonly root: string; readonly folder: string; readonly package: string }
export type Ran = { readonly status: number | null; readonly stdout: string; readonly stderr: string }

/** A configuration as a user writes it; `dir` tells two of them apart. */
export function configFile(dir: string): string {
  return `import { defineConfig } from 'trunkline'

export default defineConfig({ routes: { everything: { from: 'earliest', sink: { type: 'file', dir: '${dir}' } } } })
`
}

/** Packs and installs; `remove` takes all of it away again. */
export function install(): Installed {
  const root = mkdtempSync(join(tmpdir(), 'trunkline-package-'))
  try {
    const packed = packTarball(join(root, 'packed'))
    const folder = cleanFolder(root, 'user')
    runOrThrow('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error', packed.tarball], folder)
    return { ...packed, root, folder, package: join(folder, 'node_modules/trunkline') }
  } catch (error) {
    rmSync(root, { recursive: true, force: true })
    throw error
  }
}

export function remove(installed: Installed | undefined): void {
  if (installed !== undefined) rmSync(installed.root, { recursive: true, force: true })
}

/** A folder that npm takes for a project of its own, with a configuration and nothing else. */
export function cleanFolder(root: string, name: string): string {
  const folder = join(root, name)
  mkdirSync(folder)
  writeFileSync(join(folder, 'trunkline.config.ts'), configFile(name))
  return folder
}

/** Runs a command to its end; `node`, when given, is the Node that comes first on PATH. */
export function run(command: string, args: readonly string[], cwd: string, node?: string): Ran {
  return spawnSync(command, args, { cwd, encoding: 'utf8', env: environment(node), timeout: 60_000 })
}

/** Starts the installed service on a free port, hands its address to `use`, stops it and gives what it printed. */
export async function whileServing(
  installed: Installed,
  dataDir: string,
  use: (url: string) => Promise<void>,
  node: string = process.execPath,
): Promise<Ran> {
  const bin = join(installed.package, 'bin/trunkline.js')
  const args = [bin, 'dev', '--no-simulate', '--port', '0', '--log-level', 'warn', '--data-dir', dataDir]
  const child = spawn(node, args, { cwd: installed.folder, env: environment(node), stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  const ready = new Promise<string>((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      const url = /ready on (http:\S+)/.exec(stdout)?.[1]
      if (url !== undefined) resolve(url)
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    void ended.then((status) => reject(new Error(`the service ended with ${status} before it was ready\n${stdout}${stderr}`)))
  })
  try {
    await use(await ready)
  } finally {
    child.kill('SIGTERM')
  }
  return { status: await ended, stdout, stderr }
}

function environment(node: string | undefined): NodeJS.ProcessEnv {
  const base = withThisNode()
  const env = node === undefined ? base : { ...base, PATH: [dirname(node), base['PATH'] ?? ''].join(delimiter) }
  const kept = Object.entries(env).filter(([name]) => !name.startsWith('TRUNKLINE_') && name !== 'NODE_OPTIONS')
  // What npm thinks of this user's npmrc is not what a test of stderr is about.
  return { ...Object.fromEntries(kept), npm_config_loglevel: 'error' }
}

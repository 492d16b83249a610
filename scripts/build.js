// Builds dist from src. `--pack` (npm's prepack) also writes the package.json that users get and keeps ours in
// package.json.orig; `--unpack` (postpack) puts ours back. What users must never get: the Node binaries a clone runs on
// (optionalDependencies, 120 MB), development tools, and scripts that only work in a clone.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const manifest = join(root, 'package.json')
const backup = join(root, 'package.json.orig')
const ONLY_IN_A_CLONE = ['scripts', 'devDependencies', 'optionalDependencies', 'allowScripts']

const [mode = ''] = process.argv.slice(2)
if (mode === '--unpack') restoreManifest()
else if (mode === '--refuse-publish') refuseToPublishAFolder()
else if (mode === '' || mode === '--pack') {
  build()
  if (mode === '--pack') publishedManifest()
} else fail(`unknown option ${mode}; known: --pack, --unpack`)

function build() {
  const dist = join(root, 'dist')
  rmSync(dist, { recursive: true, force: true })
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' })
  if (status !== 0) fail('tsc found errors; dist is not complete')
  copyOtherFiles(join(root, 'src'), dist)
  renameImportsOfDeclarations(dist)
}

// Whatever src holds beside TypeScript (JSON, HTML) is read at run time relative to the module that uses it.
function copyOtherFiles(from, to) {
  for (const file of filesBelow(from)) if (!file.endsWith('.ts')) cpSync(join(from, file), join(to, file))
}

// tsc renames the imports of the JavaScript only; `./x.ts` in a declaration is a file that the package does not have.
function renameImportsOfDeclarations(dist) {
  for (const file of filesBelow(dist).filter((name) => name.endsWith('.d.ts'))) {
    const path = join(dist, file)
    const text = readFileSync(path, 'utf8')
    const renamed = text.replaceAll(/(\bfrom |\bimport\(|\bimport )(['"])(\.{1,2}\/[^'"\n]*)\.ts\2/g, '$1$2$3.js$2')
    if (renamed !== text) writeFileSync(path, renamed)
  }
}

function publishedManifest() {
  restoreManifest()
  const ours = readFileSync(manifest, 'utf8')
  writeFileSync(backup, ours)
  writeFileSync(manifest, published(ours))
}

// A pack that was cut short leaves the published package.json in place; one that was edited since must not be lost.
function restoreManifest() {
  if (!existsSync(backup)) return
  const now = readFileSync(manifest, 'utf8')
  const ours = readFileSync(backup, 'utf8')
  if (now !== published(ours) && now !== ours) {
    fail(
      'package.json.orig is left over from an earlier pack, and package.json was changed since: keep what you want of both, then delete package.json.orig',
    )
  }
  renameSync(backup, manifest)
}

function published(text) {
  const kept = Object.entries(JSON.parse(text)).filter(([key]) => !ONLY_IN_A_CLONE.includes(key))
  const manifest = Object.fromEntries(kept.map(([key, value]) => [key, key === 'exports' ? declared(value) : value]))
  return `${JSON.stringify(manifest, null, 2)}\n`
}

// In a clone the types are the sources, so that an editor finds them without a build; users get declarations.
function declared(exports) {
  const targets = Object.entries(exports).map(([subpath, target]) => {
    if (typeof target === 'string') return [subpath, target]
    return [subpath, { ...target, types: target.types.replace(/^\.\/src\/(.+)\.ts$/, './dist/$1.d.ts') }]
  })
  return Object.fromEntries(targets)
}

// npm reads the package.json it sends to the registry again after postpack, when it is ours once more: every user would
// then install the Node binaries. A tarball carries its own.
function refuseToPublishAFolder() {
  fail('publish the packed file, not the folder: npm pack && npm publish ./trunkline-<version>.tgz')
}

function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
}

function fail(message) {
  process.stderr.write(`build: ${message}\n`)
  process.exit(1)
}

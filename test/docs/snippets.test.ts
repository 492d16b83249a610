/** Every TypeScript snippet type-checks with `trunkline` being this tree, and every configuration on a page loads. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, test } from 'node:test'
import { formatConfigErrors } from '../../src/config/errors.ts'
import { loadConfig } from '../../src/config/load.ts'
import { ROOT, blocksOf, fileOf, noteOf, pages, placeOf } from './_pages.ts'

const folder = mkdtempSync(join(tmpdir(), 'trunkline-snippets-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const snippets = pages()
  .flatMap((page) => blocksOf(page))
  .map((block, index) => ({ block, dir: join(folder, String(index)), name: basename(fileOf(block) ?? '') }))
const typed = snippets.filter(({ block }) => block.lang === 'ts')
const configs = snippets.filter(({ name }) => /^trunkline\.config\.\w+$/.test(name))
for (const { block, dir, name } of new Set([...typed, ...configs])) {
  mkdirSync(dir)
  writeFileSync(join(dir, name === '' ? 'snippet.ts' : name), block.text)
}

test('TypeScript snippets type-check', () => {
  assert.ok(typed.length > 0)
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(ROOT, join(folder, 'node_modules/trunkline'))
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({
      extends: join(ROOT, 'tsconfig.json'),
      compilerOptions: {
        isolatedDeclarations: false,
        declaration: false,
        typeRoots: [join(ROOT, 'node_modules/@types')],
      },
      include: ['*/*.ts'],
    }),
  )
  const { status, stdout, stderr } = spawnSync(join(ROOT, 'node_modules/.bin/tsc'), ['-p', folder], { encoding: 'utf8', cwd: folder })
  const places = typed.map(({ block, dir }) => `${basename(dir)}/ is ${placeOf(block)}`).join('\n')
  assert.equal(status, 0, `${stdout}${stderr}\n${places}`)
})

for (const { block, dir, name } of configs) {
  test(`${placeOf(block)} loads`, async () => {
    const names = [...block.text.matchAll(/(\w+): 'env:(\w+)'/g)]
    const env = Object.fromEntries(names.map(([, key, variable]) => [variable, key === 'url' ? 'https://crm.example/events' : 'a-value']))
    const result = await loadConfig({ cwd: dir, env, flags: { config: name } })
    assert.ok('config' in result, 'errors' in result ? formatConfigErrors(result.errors) : '')
    const warned = noteOf(block, 'warns')
    assert.deepEqual(
      result.warnings.map(({ code }) => code),
      warned === null ? [] : [warned],
    )
  })
}

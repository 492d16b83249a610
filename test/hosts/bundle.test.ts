import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { build, type BuildResult } from 'esbuild'
import { receiver } from '../../src/testing/receiver.ts'
import { bodyOf, conversationOf, sqsMessage } from '../../src/testing/sqs-event.ts'

/*
 * What a user deploys: a handler file, bundled. It must hold nothing of the service, and it must work where nothing
 * else is: in a folder without node_modules.
 */

/** What is there now and little more: a room that does not belong here shows. It is not minified. */
const MAX_BYTES = 245_000
const HANDLER = `
  import { defineConfig, memoryStore, sqs } from './src/lambda.ts'
  const config = defineConfig({
    routes: {
      archive: { sink: { type: 'file', dir: 'archive' } },
      crm: { sink: { type: 'http', url: 'env:CRM_URL', headers: { authorization: 'env:CRM_TOKEN' } } },
    },
  })
  export const handler = sqs({ config, route: 'crm', store: memoryStore() })
`
const RUNNER = `
  import { handler } from './handler.mjs'
  const chunks = []
  for await (const chunk of process.stdin) chunks.push(chunk)
  const answers = []
  for (const event of JSON.parse(Buffer.concat(chunks))) answers.push(await handler(event, { getRemainingTimeInMillis: () => 30_000 }))
  process.stdout.write(JSON.stringify(answers))
`

let dir = ''
let built: BuildResult<{ metafile: true }>
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'trunkline-bundle-'))
  built = await build({
    stdin: { contents: HANDLER, resolveDir: join(import.meta.dirname, '../..'), sourcefile: 'handler.ts', loader: 'ts' },
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    outfile: join(dir, 'handler.mjs'),
    metafile: true,
    logLevel: 'silent',
  })
})
after(() => rm(dir, { recursive: true, force: true }))

const output = (): BuildResult<{ metafile: true }>['metafile']['outputs'][string] => {
  const [only, ...others] = Object.values(built.metafile.outputs)
  assert.ok(only !== undefined && others.length === 0)
  return only
}

describe('the bundle of an SQS handler', { timeout: 60_000 }, () => {
  test('holds nothing of the service, the command line, the log, the file sink or any package', () => {
    const inputs = Object.keys(built.metafile.inputs)
    const foreign =
      /^src\/(?:log|routes|recovery|cli|simulator|genesys|testing|hosts\/(?!lambda\/|clock|http-sink|version)|sinks\/(?:file|directory))|^src\/config\/(?:load|import)|^src\/stores\/sqlite|node_modules\//
    assert.deepEqual(
      inputs.filter((path) => foreign.test(path)),
      [],
    )
    assert.ok(inputs.includes('src/hosts/lambda/sqs.ts'))
  })

  test('imports nothing but Node, and of Node no database, thread, process or module hook', () => {
    const imports = output().imports.map(({ path }) => path)
    assert.deepEqual(
      imports.filter((path) => !path.startsWith('node:')),
      [],
    )
    assert.deepEqual(
      imports.filter((path) => /^node:(?:sqlite|worker_threads|child_process|cluster|module|vm)/.test(path)),
      [],
    )
  })

  test(`has fewer than ${MAX_BYTES} bytes, not minified`, (t) => {
    t.diagnostic(`bundle: ${output().bytes} bytes`)
    assert.ok(output().bytes < MAX_BYTES, `${output().bytes} bytes`)
  })

  test('runs alone, and answers ten messages of which one is poison and one fails', async () => {
    const crm = await receiver(({ body }) => (body.includes(conversationOf(7)) ? 500 : 200))
    try {
      await writeFile(join(dir, 'runner.mjs'), RUNNER)
      const ten = Array.from({ length: 10 }, (_, i) => sqsMessage(`m${i}`, i === 3 ? '{"detail"' : bodyOf(i)))
      const again = [sqsMessage('m3', '{"detail"', 2), sqsMessage('m7', bodyOf(7), 2), sqsMessage('again', bodyOf(0))]
      const answers = await run(join(dir, 'runner.mjs'), JSON.stringify([{ Records: ten }, { Records: again }]), {
        CRM_URL: crm.url,
        CRM_TOKEN: 'Bearer x',
      })
      const both = { batchItemFailures: [{ itemIdentifier: 'm3' }, { itemIdentifier: 'm7' }] }
      assert.deepEqual(JSON.parse(answers), [both, both])
      assert.equal(crm.received.length, 10)
    } finally {
      await crm.close()
    }
  })
})

/** What a child process, in an environment of its own, prints; it has to end well by itself. */
async function run(file: string, input: string, env: Readonly<Record<string, string>>): Promise<string> {
  const child = spawn(process.execPath, [file], { cwd: dir, env, stdio: ['pipe', 'pipe', 'pipe'] })
  const texts = { out: '', err: '' }
  child.stdout.on('data', (chunk: Buffer) => (texts.out += chunk))
  child.stderr.on('data', (chunk: Buffer) => (texts.err += chunk))
  child.stdin.end(input)
  const code = await new Promise((resolve) => child.on('close', resolve))
  assert.equal(code, 0, texts.err)
  return texts.out
}

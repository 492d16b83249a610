/**
 * Accepted means durable, seen from outside: no 202 is written to a socket before the record it names was written to a
 * segment and that segment synced. By strace where it may run; the order of the durable steps is checked everywhere.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { checkFrame, frameHead } from '../../src/log/frame.ts'
import { begin } from './process.ts'
import { makeScene, removeScene } from './scene.ts'
import { eventText } from './traffic.ts'

const EVENTS = 200
const AT_ONCE = 8
const ROUTES = { routes: { archive: { sink: { type: 'file', dir: 'archive' } } }, log: { segmentBytes: 64 * 1024, minFreeBytes: 0 } }
const TRACE = [
  '-f',
  '-y',
  '-xx',
  '-s',
  '1000000',
  '-e',
  'signal=none',
  '-e',
  'trace=pwrite64,pwritev,write,fdatasync,fsync,sendto,sendmsg,writev',
]

const straceWorks = spawnSync('strace', ['-f', '-o', '/dev/null', 'true']).status === 0

test(
  'system calls: each record is written, then synced, then answered',
  { skip: straceWorks ? false : 'strace is not installed or may not trace' },
  async (t) => {
    const { cwd, answers } = await serveAll(t, (file) => ['strace', ...TRACE, '-o', file])
    const calls = readTrace(join(cwd, 'trace'))
    /** Where in the trace a record was completely written, and to which file. */
    const written = new Map<number, { at: number; path: string }>()
    const syncs: { path: string; from: number; to: number }[] = []
    const told = new Map<number, number>()
    for (const call of calls) {
      const segment = /\/log\/\d{16}\.log$/.test(call.path)
      if (segment && call.name.startsWith('pwrite'))
        for (const seq of seqsIn(call.bytes)) written.set(seq, { at: call.end, path: call.path })
      else if (segment && call.name.endsWith('sync')) syncs.push({ path: call.path, from: call.start, to: call.end })
      else if (call.path.startsWith('socket:') || call.path.startsWith('TCP'))
        for (const seq of answeredIn(call.bytes)) told.set(seq, call.start)
    }
    assert.deepEqual(
      [...told.keys()].sort((a, b) => a - b),
      answers.map(seqOf).sort((a, b) => a - b),
      'every 202 is in the trace',
    )
    for (const [seq, answeredAt] of told) {
      const write = written.get(seq)
      assert.ok(write !== undefined, `record ${seq} was answered and never written`)
      const sync = syncs.find((s) => s.path === write.path && s.from > write.at && s.to < answeredAt)
      assert.ok(
        sync !== undefined,
        `record ${seq}: written at line ${write.at}, answered at line ${answeredAt}, no sync of ${write.path} between them`,
      )
    }
    t.diagnostic(`${told.size} answers, ${syncs.length} syncs`)
  },
)

test('durable steps: a group is written, synced and committed before its answers', async (t) => {
  const { stderr } = await serveAll(t, null)
  const steps = [...stderr.matchAll(/^step ((?:log|intake)\.\S+)$/gm)]
    .map((m) => m[1] ?? '')
    .filter((s) => !s.startsWith('log.segment') && s !== 'log.columns_written')
  const turn = '(log.prepared (log.written )+log.synced (log.committed )+(intake.before_answer )+)'
  assert.match(`${steps.join(' ')} `, new RegExp(`^${turn}+$`))
  assert.ok(steps.filter((s) => s === 'intake.before_answer').length > 0)
})

/** Serves EVENTS posts, stops, answers the ids of the 202s. */
async function serveAll(
  t: TestContext,
  tracer: ((file: string) => string[]) | null,
): Promise<{ cwd: string; answers: string[]; stderr: string }> {
  const cwd = makeScene('http://127.0.0.1:9/', ROUTES)
  t.after(() => removeScene(cwd))
  const life = begin({
    cwd,
    env: tracer === null ? { TRUNKLINE_TEST_TELL_STEPS: '1' } : {},
    ...(tracer === null ? {} : { through: tracer(join(cwd, 'trace')) }),
  })
  t.after(() => life.kill('SIGKILL'))
  const url = await life.url
  if (url === null) assert.fail((await life.ended).stderr)
  const answers: string[] = []
  let next = 1
  const sender = async (): Promise<void> => {
    while (next <= EVENTS) {
      const body = eventText(next++, 'c1')
      const response = await fetch(`${url}/v1/events`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
      assert.equal(response.status, 202)
      answers.push(...((await response.json()) as { ids: string[] }).ids)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, sender))
  assert.equal(answers.length, EVENTS)
  life.kill('SIGTERM')
  const { stderr } = await life.ended
  return { cwd, answers, stderr }
}

type Call = { readonly name: string; readonly path: string; readonly bytes: Buffer; readonly start: number; readonly end: number }

/** Calls in the order they ended; `start` and `end` are line numbers of the trace. Lines: `PID name(FD<path>, "\x..", ...) = n`. */
function readTrace(file: string): Call[] {
  const open = new Map<string, Omit<Call, 'end'>>()
  const calls: Call[] = []
  for (const [line, text] of readFileSync(file, 'latin1').split('\n').entries()) {
    const resumed = /^(\d+) +<\.\.\. (\w+) resumed>/.exec(text)
    if (resumed !== null) {
      const begun = open.get(resumed[1] ?? '')
      if (begun !== undefined && begun.name === resumed[2]) calls.push({ ...begun, end: line })
      continue
    }
    const begun = /^(\d+) +(\w+)\(\d+<(.*?)>[,)]?/.exec(text)
    if (begun === null) continue
    const call = { name: begun[2] ?? '', path: plain(begun[3] ?? ''), bytes: hexIn(text.slice(begun[0].length)), start: line }
    if (text.includes('<unfinished ...>')) open.set(begun[1] ?? '', call)
    else calls.push({ ...call, end: line })
  }
  return calls
}

/** All quoted hex strings of a line, one after the other. */
const hexIn = (text: string): Buffer => Buffer.from([...text.matchAll(/\\x([0-9a-f]{2})/g)].map((m) => Number.parseInt(m[1] ?? '', 16)))

/** With -xx, strace writes paths in hex too. */
const plain = (path: string): string => (path.includes('\\x') ? hexIn(path).toString() : path)

function seqsIn(frames: Buffer): number[] {
  const seqs: number[] = []
  for (let at = 0; at < frames.length;) {
    const length = checkFrame(frames, at)
    if (length <= 0) break
    seqs.push(frameHead(frames, at).seq)
    at += length
  }
  return seqs
}

function answeredIn(bytes: Buffer): number[] {
  const text = bytes.toString('latin1')
  if (!text.startsWith('HTTP/1.1 202')) return []
  return [...text.matchAll(/"([0-9a-z]{8}-[0-9a-z]{8})"/g)].map((m) => seqOf(m[1] ?? ''))
}

const seqOf = (id: string): number => Number.parseInt(id.slice(id.indexOf('-') + 1), 36)

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { appendFile, copyFile, mkdtemp, readdir, readFile, rename, rm, stat, truncate, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, test } from 'node:test'
import fc from 'fast-check'
import type { Event } from '../event/event.ts'
import type { Clock } from '../pipeline/clock.ts'
import { eventOf, eventsOf } from '../testing/event-of.ts'
import { deliverAll, sinkContract } from '../testing/sink-contract.ts'
import { fileSink, type FileSinkOptions } from './file.ts'
import type { Sink } from './sink.ts'

const NOW = 1_774_000_000_000
const clock: Clock = { nowMs: () => NOW, wait: async () => {} }
const directories: string[] = []

async function newDirectory(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'trunkline-file-sink-'))
  directories.push(dir)
  return dir
}

afterEach(async () => {
  for (const dir of directories.splice(0)) await rm(dir, { recursive: true, force: true })
})

/** The lines of all files of `name`, in order; fails on a file that does not end with a whole line. */
async function linesOf(dir: string, name = 'out'): Promise<readonly string[]> {
  const lines: string[] = []
  for (const file of (await filesOf(dir)).filter((entry) => entry.startsWith(`${name}-`))) {
    const text = await readFile(join(dir, file), 'latin1')
    assert.ok(text === '' || text.endsWith('\n'), `${file} ends with half a line`)
    lines.push(...text.split('\n').slice(0, -1))
  }
  return lines
}

const filesOf = async (dir: string): Promise<readonly string[]> => (await readdir(dir)).sort()
const textOf = (events: readonly Event[]): readonly string[] => events.map((event) => Buffer.from(event.raw).toString('latin1'))
const FIRST = 'out-000001.ndjson'
const SECOND = 'out-000002.ndjson'

sinkContract('the file sink', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'trunkline-file-sink-'))
  return {
    sink: (document) => fileSink({ dir, name: 'out', maxFileBytes: 64 * 1024, document, clock, warn: () => {} }),
    arrived: async () => (await linesOf(dir)).map((line) => Buffer.from(line, 'latin1')),
    cleanUp: () => rm(dir, { recursive: true, force: true }),
  }
})

type Opened = { readonly sink: Sink; readonly dir: string; readonly warnings: string[] }

async function openSink(options: Partial<FileSinkOptions> = {}, position: string | null = null): Promise<Opened> {
  const dir = options.dir ?? (await newDirectory())
  const warnings: string[] = []
  const sink = fileSink({
    dir,
    name: 'out',
    document: (event) => event.raw,
    clock,
    warn: (message) => warnings.push(message),
    ...options,
  })
  await sink.open(position)
  return { sink, dir, warnings }
}

async function assertHeld(sink: Sink, events: readonly Event[]): Promise<void> {
  const outcomes = await deliverAll(sink, events)
  assert.deepEqual(
    outcomes,
    events.map(() => ({ type: 'hold', reason: 'sink.file_unavailable', untilMs: NOW + 1000 })),
  )
}

async function assertKept(sink: Sink, events: readonly Event[]): Promise<void> {
  assert.deepEqual(
    await deliverAll(sink, events),
    events.map(() => ({ type: 'keep' })),
  )
}

describe('rotation', () => {
  test('files end before they grow past the cap; a document that is bigger stands alone', async () => {
    const maxFileBytes = 10_000
    const { sink, dir } = await openSink({ maxFileBytes })
    const big = new TextEncoder().encode(`{"text":"${'x'.repeat(30_000)}"}`)
    const events = eventsOf(40).map((event, index) => (index === 20 ? { ...event, raw: big } : event))
    await assertKept(sink, events.slice(0, 25))
    await assertKept(sink, events.slice(25))
    assert.deepEqual(await linesOf(dir), textOf(events))
    const files = await filesOf(dir)
    const sizes = await Promise.all(files.map(async (file) => (await stat(join(dir, file))).size))
    assert.deepEqual(
      sizes.filter((size) => size > maxFileBytes),
      [big.length + 1],
    )
    assert.ok(files.length >= 5 && files.length <= 12, `${files.length} files`)
    assert.deepEqual(
      files,
      files.map((_, index) => `out-${String(index + 1).padStart(6, '0')}.ndjson`),
    )
    await sink.close()
  })

  test('files are readable by their owner only', { skip: process.platform === 'win32' && 'no file modes' }, async () => {
    const dir = join(await newDirectory(), 'deep', 'er')
    const { sink } = await openSink({ dir })
    await assertKept(sink, eventsOf(1))
    assert.equal((await stat(dir)).mode & 0o777, 0o700)
    assert.equal((await stat(join(dir, FIRST))).mode & 0o777, 0o600)
    await sink.close()
  })
})

describe('opening', () => {
  test('without a position, files that are there stay as they are and the next number begins', async () => {
    const dir = await newDirectory()
    await writeFile(join(dir, 'out-000007.ndjson'), 'precious\n')
    await writeFile(join(dir, 'out-extra-000009.ndjson'), 'of another sink\n')
    const { sink } = await openSink({ dir })
    await assertKept(sink, eventsOf(1))
    await sink.close()
    assert.deepEqual(await filesOf(dir), ['out-000007.ndjson', 'out-000008.ndjson', 'out-extra-000009.ndjson'])
    assert.equal(await readFile(join(dir, 'out-000007.ndjson'), 'utf8'), 'precious\n')
  })

  test('the uncommitted tail is cut, later files are removed, other names are left alone', async () => {
    const { sink, dir } = await openSink({ maxFileBytes: 8000 })
    const events = eventsOf(30)
    await assertKept(sink, events.slice(0, 3))
    const position = sink.position()
    await assertKept(sink, events.slice(3))
    await sink.close()
    await appendFile(join(dir, FIRST), '{"half a li')
    await writeFile(join(dir, 'other-000009.ndjson'), 'x\n')
    const again = await openSink({ dir }, position)
    assert.deepEqual(await filesOf(dir), ['other-000009.ndjson', FIRST])
    assert.deepEqual(await linesOf(dir), textOf(events.slice(0, 3)))
    assert.deepEqual(again.warnings, [])
    await again.sink.close()
  })

  for (const [what, change] of [
    ['moved away', (path: string) => rename(path, `${path}.taken`)],
    ['cut', (path: string) => truncate(path, 10)],
  ] as const) {
    test(`a committed file that was ${what} is reported, and the next number begins without a hole`, async () => {
      const { sink, dir } = await openSink()
      await assertKept(sink, eventsOf(3))
      const position = sink.position()
      await sink.close()
      await change(join(dir, FIRST))
      const again = await openSink({ dir }, position)
      assert.equal(again.warnings.length, 1)
      assert.match(again.warnings[0] ?? '', /out-000001\.ndjson .*out-000002\.ndjson/)
      await assertKept(again.sink, eventsOf(2))
      assert.equal(
        await readFile(join(dir, SECOND), 'latin1'),
        textOf(eventsOf(2))
          .map((line) => `${line}\n`)
          .join(''),
      )
      await again.sink.close()
    })
  }

  for (const foreign of ['nonsense', '{"file":0,"length":5}', '{"file":1,"length":-1}', 'null', '[]']) {
    test(`the position ${foreign} is reported and removes nothing`, async () => {
      const dir = await newDirectory()
      await writeFile(join(dir, FIRST), 'precious\n')
      const { sink, warnings } = await openSink({ dir }, foreign)
      await assertKept(sink, eventsOf(1))
      await sink.close()
      assert.equal(warnings.length, 1)
      assert.deepEqual(await linesOf(dir), ['precious', ...textOf(eventsOf(1))])
    })
  }

  test('the position of another directory removes nothing here', async () => {
    const there = await openSink()
    await assertKept(there.sink, eventsOf(1))
    await there.sink.close()
    const dir = await newDirectory()
    await writeFile(join(dir, FIRST), 'p'.repeat(5000))
    await writeFile(join(dir, SECOND), 'precious\n')
    const here = await openSink({ dir }, there.sink.position())
    await here.sink.close()
    assert.equal((await stat(join(dir, FIRST))).size, 5000)
    assert.equal(await readFile(join(dir, SECOND), 'utf8'), 'precious\n')
    assert.equal(here.warnings.length, 1)
  })

  test('a directory that cannot be one is a coded error', async () => {
    const file = join(await newDirectory(), 'file')
    await writeFile(file, '')
    await assert.rejects(openSink({ dir: join(file, 'sub') }), { code: 'sink.file_open' })
  })

  for (const name of ['', '../out', 'a/b', '.hidden', 'a\0b']) {
    test(`the name ${JSON.stringify(name)} is refused`, () => {
      const make = () => fileSink({ dir: '.', name, document: (event) => event.raw, clock, warn: () => {} })
      assert.throws(make, { code: 'sink.file_name' })
    })
  }
})

describe('somebody changes the current file', () => {
  const cases: readonly (readonly [string, RegExp, (path: string) => Promise<unknown>])[] = [
    ['deletes it', /deleted/, (path) => unlink(path)],
    ['moves it away', /moved/, (path) => rename(path, `${path}.1`)],
    ['cuts it to nothing', /cut by/, (path) => truncate(path, 0)],
    ['appends to it', /appended/, (path) => appendFile(path, 'mine\n')],
    ['puts a copy in its place', /moved/, async (path) => (await rename(path, `${path}.1`), copyFile(`${path}.1`, path))],
    ['deletes the whole directory', /deleted/, (path) => rm(join(path, '..'), { recursive: true })],
  ]
  for (const [what, said, change] of cases) {
    test(`who ${what} gets a new file, said once, and nothing of theirs is overwritten`, async () => {
      const { sink, dir, warnings } = await openSink()
      const events = eventsOf(6)
      await assertKept(sink, events.slice(0, 2))
      await change(join(dir, FIRST))
      const theirs = await readFile(join(dir, FIRST)).catch(() => null)
      await assertKept(sink, events.slice(2, 4))
      await assertKept(sink, events.slice(4))
      const expected = textOf(events.slice(2))
        .map((line) => `${line}\n`)
        .join('')
      assert.equal(await readFile(join(dir, SECOND), 'latin1'), expected)
      assert.deepEqual(await readFile(join(dir, FIRST)).catch(() => null), theirs)
      assert.equal(warnings.length, 1)
      assert.match(warnings[0] ?? '', said)
      await sink.close()
    })
  }
})

describe('the disk refuses', () => {
  test('a file where the directory was: held, said once, and delivered when it is put right', async () => {
    const dir = join(await newDirectory(), 'out')
    const { sink, warnings } = await openSink({ dir })
    const events = eventsOf(4)
    await assertKept(sink, events.slice(0, 2))
    await rename(dir, `${dir}.aside`)
    await writeFile(dir, '')
    const position = sink.position()
    await assertHeld(sink, events.slice(2))
    await assertHeld(sink, events.slice(2))
    assert.equal(sink.position(), position)
    assert.equal(warnings.filter((warning) => warning.includes('holding')).length, 1)
    await unlink(dir)
    await rename(`${dir}.aside`, dir)
    await assertKept(sink, events.slice(2))
    assert.match(warnings.at(-1) ?? '', /works again/)
    assert.deepEqual(await linesOf(dir), textOf(events))
    await sink.close()
  })

  test('a full disk: held without a trace, delivered without a restart once there is space', async (t) => {
    const dir = await newDirectory()
    if (!mountSmallDisk(dir)) {
      t.skip('mounting a small tmpfs needs root on Linux')
      return
    }
    try {
      const { sink, warnings } = await openSink({ dir })
      const events = eventsOf(1200)
      const ballast = join(dir, 'ballast')
      await writeFile(ballast, Buffer.alloc(600 * 1024))
      await assertKept(sink, events.slice(0, 100))
      const position = sink.position()
      await assertHeld(sink, events.slice(100, 600))
      await assertHeld(sink, events.slice(100, 600))
      assert.equal(sink.position(), position)
      assert.deepEqual(await linesOf(dir), textOf(events.slice(0, 100)))
      assert.equal(warnings.length, 1)
      assert.match(warnings[0] ?? '', /ENOSPC/)
      await assertKept(sink, events.slice(100, 102))
      await unlink(ballast)
      await assertKept(sink, events.slice(102, 600))
      assert.deepEqual(await linesOf(dir), textOf(events.slice(0, 600)))
      await sink.close()
    } finally {
      execFileSync('umount', ['-l', dir])
    }
  })

  test('a disk that fills in the middle of a rotating batch: what is in whole files is kept, the rest held', async (t) => {
    const dir = await newDirectory()
    if (!mountSmallDisk(dir)) {
      t.skip('mounting a small tmpfs needs root on Linux')
      return
    }
    try {
      const { sink } = await openSink({ dir, maxFileBytes: 100 * 1024 })
      const events = eventsOf(1200)
      const outcomes = await deliverAll(sink, events)
      const kept = outcomes.filter((outcome) => outcome.type === 'keep').length
      assert.ok(kept > 100 && kept < 1000)
      assert.deepEqual(
        outcomes.slice(kept).map((outcome) => outcome.type),
        events.slice(kept).map(() => 'hold'),
      )
      assert.deepEqual(await linesOf(dir), textOf(events.slice(0, kept)))
      await sink.close()
      const again = await openSink({ dir }, sink.position())
      assert.deepEqual(again.warnings, [])
      assert.deepEqual(await linesOf(dir), textOf(events.slice(0, kept)))
      await again.sink.close()
    } finally {
      execFileSync('umount', ['-l', dir])
    }
  })
})

test('a document of more than one line is dead and breaks no line', async () => {
  const { sink, dir } = await openSink()
  const events = eventsOf(3).map((event, index) => (index === 1 ? { ...event, raw: Buffer.from('{\n}') } : event))
  const outcomes = await deliverAll(sink, events)
  assert.deepEqual(
    outcomes.map((outcome) => outcome.type),
    ['keep', 'dead', 'keep'],
  )
  assert.deepEqual(await linesOf(dir), textOf(events.filter((_, index) => index !== 1)))
  await sink.close()
})

test('closing waits for the batch that is being written', async () => {
  const { sink, dir } = await openSink()
  const delivery = sink.deliver(eventsOf(50), new AbortController().signal)
  let settled = false
  void delivery.then(() => (settled = true))
  await sink.close()
  assert.ok(settled)
  assert.equal((await delivery).filter((outcome) => outcome.type === 'keep').length, 50)
  assert.equal((await linesOf(dir)).length, 50)
})

test('whatever is delivered, committed and cut off in between, every committed event is there once, in order', async () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ type: fc.constant('deliver' as const), count: fc.integer({ min: 1, max: 12 }) }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('commit' as const) }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('crash' as const), torn: fc.boolean() }) },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 14 }), fc.integer({ min: 1, max: 9000 }), async (steps, maxFileBytes) => {
      const dir = await newDirectory()
      let { sink, warnings } = await openSink({ dir, maxFileBytes })
      let position = sink.position()
      let committed = 0
      let delivered = 0
      for (const taken of steps) {
        if (taken.type === 'deliver') {
          await assertKept(
            sink,
            Array.from({ length: taken.count }, (_, index) => eventOf({}, delivered + index)),
          )
          delivered += taken.count
        } else if (taken.type === 'commit') {
          position = sink.position()
          committed = delivered
        } else {
          await sink.close()
          const last = (await filesOf(dir)).at(-1)
          if (taken.torn && last !== undefined) await appendFile(join(dir, last), '{"torn":')
          ;({ sink, warnings } = await openSink({ dir, maxFileBytes }, position))
          delivered = committed
        }
        assert.deepEqual(await linesOf(dir), textOf(eventsOf(delivered)))
        assert.deepEqual(warnings, [])
      }
      await sink.close()
      await rm(dir, { recursive: true })
    }),
    { numRuns: 40 },
  )
})

/** False where that is not allowed. */
function mountSmallDisk(dir: string): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', dir], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

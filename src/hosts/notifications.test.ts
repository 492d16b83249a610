/** What the notification source remembers, in a real ledger beside a real log: damage to it is said and hides no gap. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { FakeGenesys } from '../../test/sources/fake-genesys.ts'
import { Log } from '../log/log.ts'
import { Ledger } from '../routes/ledger.ts'
import type { Source } from '../sources/source.ts'
import { virtualClock } from '../testing/virtual-clock.ts'
import { GapBook } from './gap-book.ts'
import { openNotifications } from './notifications.ts'

type Started = { readonly source: Source; readonly ledger: Ledger; readonly log: Log; readonly warnings: string[]; readonly nowMs: number }

const LAST_MS = 600_000

/** A source that has just been started, before Genesys answers anything; `prepare` says what the run before left behind. */
async function started(t: TestContext, prepare: (left: Pick<Started, 'ledger' | 'log'>) => Promise<void> | void): Promise<Started> {
  const dir = mkdtempSync(join(tmpdir(), 'trunkline-notifications-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const ledger = new Ledger(join(dir, 'ledger.db'))
  t.after(() => ledger.close())
  const log = await Log.open({
    dataDir: dir,
    logId: 'k3v9qa7m',
    segmentBytes: 1024 * 1024,
    maxBytes: 1e9,
    maxAgeMs: 1e12,
    minFreeBytes: 0,
    quarantineMaxBytes: 1e6,
    dedupeWindowMs: null,
    maxBodyBytes: 1024 * 1024,
    orgId: null,
    minNextSeq: 1,
    onFatal: (error) => assert.fail(error),
  })
  t.after(() => log.close())
  await prepare({ ledger, log })
  const clock = virtualClock()
  await clock.advance(3_600_000)
  const genesys = await FakeGenesys.start(clock)
  t.after(() => genesys.stop())
  genesys.failing.add('all')
  const warnings: string[] = []
  const source = openNotifications({
    settings: { topics: ['v2.users.{id}.presence'], users: ['*'], queues: ['*'] },
    platform: genesys,
    log,
    ledger,
    gaps: new GapBook(ledger),
    clock,
    random: () => 0.5,
    warn: (code, message) => warnings.push(`${code}: ${message}`),
    info: () => undefined,
  })
  await source.start()
  t.after(() => source.stop())
  return { source, ledger, log, warnings, nowMs: clock.nowMs() }
}

async function append(log: Log, via: string, receivedAtMs: number, extra: object = {}): Promise<void> {
  const event = { topicName: 'v2.users.u1.presence', version: '2', eventBody: { at: receivedAtMs }, metadata: {}, ...extra }
  const { status } = await log.append(Buffer.from(JSON.stringify(event)), { kind: 'json', gzip: false, via, receivedAtMs })
  assert.equal(status, 202)
}

function keep(ledger: Ledger, text: string): void {
  ledger.run(`INSERT OR REPLACE INTO kept (name, value) VALUES ('notifications', ?)`, text)
}

const DAMAGED = [
  '{junk',
  'null',
  '{}',
  '[]',
  '{"version":1,"shards":5,"gaps":[]}',
  '{"version":1,"shards":[{"key":"topics-0","wholeMs":-5}],"gaps":[]}',
  '{"version":1,"shards":[{"key":"topics-0","wholeMs":9999999999999}],"gaps":[]}',
  '{"version":1,"shards":[{"key":"topics-0","wholeMs":1},null],"gaps":[]}',
]

for (const text of DAMAGED) {
  test(`${text} is said, and the gap is counted from the last notification in the log`, async (t) => {
    const { source, warnings } = await started(t, async ({ ledger, log }) => {
      await append(log, 'notifications', LAST_MS)
      // It came by another way, or was filled in: of a channel it says nothing.
      await append(log, 'http', LAST_MS + 1000)
      await append(log, 'notifications', LAST_MS + 2000, { origin: 'backfill' })
      keep(ledger, text)
    })
    const [gap] = source.openGaps()
    assert.deepEqual([gap?.fromMs, gap?.toMs, gap?.reason], [LAST_MS - 2000, null, 'process.stopped'])
    const memory = warnings.filter((line) => line.startsWith('notifications.memory: '))
    assert.equal(memory.length, 1, warnings.join('\n'))
    assert.match(memory[0]!, /counted from the last notification in the log/)
  })
}

test('without a notification in the log it is said that the begin is not known', async (t) => {
  const { source, warnings } = await started(t, async ({ ledger, log }) => {
    await append(log, 'http', LAST_MS)
    keep(ledger, '{junk')
  })
  assert.deepEqual(source.openGaps(), [])
  assert.match(warnings.join('\n'), /^notifications\.memory: .*since when is not known/m)
})

test('a memory that is gone is no first run where the log has notifications', async (t) => {
  const { source, warnings } = await started(t, ({ log }) => append(log, 'notifications', LAST_MS))
  assert.equal(source.openGaps()[0]?.fromMs, LAST_MS - 2000)
  assert.match(warnings.join('\n'), /^notifications\.memory: /m)
})

test('a first run says nothing, nor does a memory that is whole', async (t) => {
  const first = await started(t, ({ log }) => append(log, 'http', LAST_MS))
  assert.deepEqual(first.source.openGaps(), [])
  const whole = await started(t, ({ ledger }) => keep(ledger, '{"version":1,"shards":[{"key":"topics-0","wholeMs":7000}],"gaps":[]}'))
  assert.equal(whole.source.openGaps()[0]?.fromMs, 7000)
  assert.doesNotMatch([...first.warnings, ...whole.warnings].join('\n'), /notifications\.memory/)
})

test('gaps that are damaged in the memory are said, those beside them go on', async (t) => {
  const gap = { shard: 'topics-0', fromMs: 1000, toMs: 2000, reason: 'channel.closed', topics: ['v2.users.{id}.presence'] }
  const { source, warnings } = await started(t, ({ ledger }) => {
    keep(ledger, JSON.stringify({ version: 1, shards: [{ key: 'topics-0', wholeMs: 7000 }], gaps: [{ fromMs: 'x' }, gap] }))
  })
  assert.deepEqual(
    source.openGaps().map(({ fromMs, toMs }) => [fromMs, toMs]),
    [
      [7000, null],
      [1000, 2000],
    ],
  )
  assert.match(warnings.join('\n'), /^notifications\.memory: .*not known any more/m)
})

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { Hono } from 'hono'
import { Ledger } from '../routes/ledger.ts'
import { tempDir } from '../testing/route-harness.ts'
import { GapBook } from './gap-book.ts'
import { gapsApi } from './gaps-api.ts'

const SOURCE = 'genesys.notifications'

test('an outage that lasts comes before the gaps on record, on the first page only', async (t) => {
  const ledger = new Ledger(join(tempDir(), 'ledger.db'))
  t.after(() => ledger.close())
  const book = new GapBook(ledger)
  for (const fromMs of [1_000, 2_000])
    book.add({ source: SOURCE, fromMs, toMs: fromMs + 500, reason: 'channel.closed', lost: [], filled: [] })
  const app = new Hono()
  const topics = ['v2.users.{id}.presence']
  gapsApi(app, book, () => [{ source: SOURCE, fromMs: 3_000, toMs: null, reason: 'channel.silent', topics }])
  const page = async (query: string): Promise<{ gaps: { id: number | null; fromMs: number }[]; cursor: string }> =>
    (await app.request(`/v1/gaps?${query}`)).json() as never
  const first = await page('limit=1')
  assert.deepEqual(first.gaps[0], { id: null, source: SOURCE, fromMs: 3_000, toMs: null, reason: 'channel.silent', topics })
  assert.deepEqual(
    first.gaps.map(({ fromMs }) => fromMs),
    [3_000, 2_000],
  )
  const rest = await page(`limit=1&cursor=${first.cursor}`)
  assert.deepEqual(
    rest.gaps.map(({ fromMs }) => fromMs),
    [1_000],
  )
})

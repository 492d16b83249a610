import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { Ledger } from '../routes/ledger.ts'
import type { Gap } from '../sources/source.ts'
import { tempDir } from '../testing/route-harness.ts'
import { GapBook } from './gap-book.ts'

const gap = (fromMs: number, toMs: number): Gap => ({
  source: 'notifications',
  fromMs,
  toMs,
  reason: 'channel.closed',
  lost: ['v2.users.{id}.presence'],
  filled: [{ topic: 'v2.detail.events.conversation.{id}.acd.end', events: 3 }],
})

test('gaps are listed newest first, page by page, and hold over a restart', () => {
  const file = join(tempDir(), 'ledger.db')
  const first = new Ledger(file)
  const book = new GapBook(first)
  for (let i = 0; i < 5; i++) book.add(gap(i * 1_000, i * 1_000 + 100))
  first.close()

  const second = new Ledger(file)
  const again = new GapBook(second)
  assert.deepEqual([again.count, again.lostMs], [5, 500])
  const page = again.list({ limit: 2 })
  assert.deepEqual(
    page.gaps.map(({ fromMs }) => fromMs),
    [4_000, 3_000],
  )
  const rest = again.list({ limit: 10, cursor: Number(page.cursor) })
  assert.deepEqual([rest.gaps.map(({ fromMs }) => fromMs), rest.cursor], [[2_000, 1_000, 0], null])
  assert.deepEqual(rest.gaps.at(-1), { id: 1, ...gap(0, 100) })
  second.close()
})

test('a damaged row still says when the gap was, and hides no other', () => {
  const ledger = new Ledger(join(tempDir(), 'ledger.db'))
  const book = new GapBook(ledger)
  for (let i = 0; i < 3; i++) book.add(gap(i * 1_000, i * 1_000 + 100))
  ledger.run(`UPDATE gaps SET gap = '{junk' WHERE id = 2`)
  assert.deepEqual(
    book.list({ limit: 10 }).gaps.map(({ fromMs, toMs, reason }) => [fromMs, toMs, reason]),
    [
      [2_000, 2_100, 'channel.closed'],
      [1_000, 1_100, 'gap.unreadable'],
      [0, 100, 'channel.closed'],
    ],
  )
  ledger.close()
})

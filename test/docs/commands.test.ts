/** Every command of the README, the tutorial, the how-to pages and the HTTP reference is run, and shows what the page says. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertSameShape, assertShows } from './_compare.ts'
import { type Block, blocksOf, fileOf, noteOf, pagesThatRun, placeOf } from './_pages.ts'
import { PageShell, type Ran } from './_shell.ts'

/** What needs systemd, AWS or a registry. A page that cannot be run is a page that goes wrong: keep them few. */
const MOST_NOT_RUN = 6

test('only a few blocks are not run, each with its reason', (context) => {
  const left = pagesThatRun().flatMap((page) => blocksOf(page).filter((block) => noteOf(block, 'not run') !== null))
  for (const block of left) {
    assert.ok((noteOf(block, 'not run') ?? '').length > 5, `${placeOf(block)}: no reason`)
    context.diagnostic(`not run: ${placeOf(block)}: ${noteOf(block, 'not run')}`)
  }
  assert.ok(left.length <= MOST_NOT_RUN, `${left.length} blocks are not run`)
})

for (const page of pagesThatRun()) {
  const blocks = blocksOf(page).filter((block) => noteOf(block, 'not run') === null)
  if (!blocks.some((block) => block.lang === 'sh')) continue
  test(page, { timeout: 110_000 }, async () => {
    const shell = await PageShell.open()
    try {
      let ran: Ran | null = null
      for (const block of blocks) {
        if (block.lang === 'sh') ran = await shell.run(block)
        else if (fileOf(block) !== null) shell.write(block)
        else if (ran !== null) compare(block, ran)
      }
    } finally {
      await shell.close()
    }
  })
}

function compare(block: Block, ran: Ran): void {
  if (block.lang === 'text') assertShows(block.text, ran.all, placeOf(block))
  if (block.lang !== 'json') return
  const start = ran.stdout.search(/^[[{]/m)
  assert.ok(start >= 0, `${placeOf(block)}: the command printed no JSON:\n${ran.all}`)
  assertSameShape(JSON.parse(block.text), JSON.parse(ran.stdout.slice(start)), placeOf(block))
}

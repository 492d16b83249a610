import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { page, type PageFacts } from './page.ts'

const FACTS: PageFacts = {
  url: 'http://127.0.0.1:4680',
  mode: 'dev',
  tokenNeeded: false,
  simulating: false,
  accepted: 0,
  sources: [{ name: 'genesys.notifications', connected: false }],
  routes: [
    { name: 'crm', takes: 'all', sink: 'http <x>', paused: true, deadLetters: 3 },
    { name: 'out', takes: 'all', sink: 'file out', paused: false, deadLetters: 0 },
  ],
}

test('the page names every path that answers a GET', () => {
  const sources = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
  const served = sources.flatMap((name) =>
    [...readFileSync(`${import.meta.dirname}/${name}`, 'utf8').matchAll(/app\.get\('(\/[^']+)'/g)].map(([, path]) =>
      path!.replaceAll(/:(\w+)/g, '{$1}'),
    ),
  )
  assert.ok(served.length > 10)
  const named = [...page(FACTS).matchAll(/<code>(\/[^<]*)<\/code>/g)].map(([, path]) => path)
  assert.deepEqual(new Set(named), new Set(served))
})

test('the page shows pauses, dead letters and a source that is not connected, and escapes what it shows', () => {
  const html = page(FACTS)
  assert.match(html, /<td>crm<\/td><td>all<\/td><td>http &#60;x&#62;<\/td><td>paused, <b>3 dead letters<\/b><\/td>/)
  assert.match(html, /<td>file out<\/td><td><\/td>/)
  assert.match(html, /genesys\.notifications is <b>not connected<\/b>/)
})

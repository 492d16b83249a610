/**
 * Compares what a page shows with what really came out. Ids, times and the like differ each time and count as equal;
 * `...` in the page stands for anything.
 */
import assert from 'node:assert/strict'

/** Every line of `shown` is a line of `actual`, in the same order. */
export function assertShows(shown: string, actual: string, place: string): void {
  const lines = linesOf(actual)
  let from = 0
  for (const line of linesOf(shown)) {
    if (line === '...') continue
    const wanted = patternOf(line)
    const found = lines.findIndex((candidate, at) => at >= from && wanted.test(candidate))
    assert.ok(
      found >= 0,
      `${place} shows this line, and the command does not:\n  ${line}\nThe command printed:\n${lines.slice(from).join('\n')}`,
    )
    from = found + 1
  }
}

/** Same keys, kinds and texts. An object of the page with a key `...` may have more keys than those shown. */
export function assertSameShape(shown: unknown, actual: unknown, place: string): void {
  if (Array.isArray(shown)) {
    assert.ok(Array.isArray(actual), `${place}: the page shows a list, the answer has ${JSON.stringify(actual)}`)
    assert.ok(actual.length >= shown.length, `${place}: the page shows ${shown.length} elements, the answer has ${actual.length}`)
    for (const [at, value] of shown.entries()) assertSameShape(value, actual[at], `${place}[${at}]`)
  } else if (typeof shown === 'object' && shown !== null) {
    assert.ok(typeof actual === 'object' && actual !== null, `${place}: the page shows an object, the answer has ${JSON.stringify(actual)}`)
    const keys = Object.keys(shown).filter((key) => key !== '...')
    if (!('...' in shown)) assert.deepEqual(Object.keys(actual).toSorted(), keys.toSorted(), `${place}: other keys than the page shows`)
    for (const key of keys) {
      assert.ok(key in actual, `${place}: the answer has no key ${key}`)
      assertSameShape((shown as Record<string, unknown>)[key], (actual as Record<string, unknown>)[key], `${place}.${key}`)
    }
  } else if (typeof shown === 'string') {
    assert.equal(typeof actual, 'string', place)
    assert.match(normal(String(actual)), patternOf(normal(shown)), place)
  } else if (typeof shown === 'number') assert.equal(typeof actual, 'number', place)
  else assert.equal(actual, shown, place)
}

const linesOf = (text: string): string[] =>
  text
    .split('\n')
    .map(normal)
    .filter((line) => line !== '')

function normal(text: string): string {
  return text
    .replaceAll(/\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z/g, 'TIME')
    .replaceAll(/\b\d{2}:\d{2}:\d{2}(?:\.\d+)?Z?\b/g, 'TIME')
    .replaceAll(/\b[0-9a-z]{8}-q?[0-9a-z]{8,10}\b/g, 'ID')
    .replaceAll(/\b[0-9a-f]{32}\b|\b[0-9a-f]{16}\b/g, 'HASH')
    .replaceAll(/\+?\b\d+(?:\.\d+)? ?(?:ms|s|min)\b/g, 'SPAN')
    .replaceAll(/127\.0\.0\.1:\d+/g, 'HOST')
    .replaceAll(/\s+/g, ' ')
    .trim()
}

function patternOf(line: string): RegExp {
  return new RegExp(`^${line.split('...').map(escaped).join('.*')}$`, 's')
}

const escaped = (text: string): string => text.replaceAll(/[$()*+.?[\\\]^{|}/-]/g, '\\$&')

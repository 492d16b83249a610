/** What channels cover, and what is left over as gaps. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Coverage } from './coverage.ts'

type Channel = { subscribedAtMs: number; provenMs: number | null; trusted: boolean }

const channel = (subscribedAtMs: number, provenMs: number | null, trusted = true): Channel => ({ subscribedAtMs, provenMs, trusted })

function covering(wholeMs: number | null, marginMs = 0): { coverage: Coverage; gaps: [number, number][] } {
  const gaps: [number, number][] = []
  return { coverage: new Coverage(wholeMs, marginMs, (fromMs, toMs) => gaps.push([fromMs, toMs])), gaps }
}

describe('coverage', () => {
  it('begins when topics are confirmed for the first time: before that nothing was promised', () => {
    const { coverage, gaps } = covering(null)
    coverage.advance([{ subscribedAtMs: null, provenMs: null, trusted: true }])
    assert.deepEqual([coverage.beganMs, coverage.wholeMs], [null, null])
    coverage.advance([channel(100, null)])
    assert.deepEqual([coverage.beganMs, coverage.wholeMs], [100, 100])
    coverage.advance([channel(100, 130)])
    assert.deepEqual([coverage.beganMs, coverage.wholeMs, gaps], [100, 130, []])
  })

  it('names the time of a channel that proved nothing', () => {
    const { coverage, gaps } = covering(null, 10)
    coverage.advance([channel(100, null)])
    coverage.advance([channel(100, null), channel(150, 160)])
    assert.deepEqual(gaps, [], 'the first may yet prove that it gave all')
    coverage.advance([channel(100, null, false), channel(150, 160)])
    assert.deepEqual([coverage.wholeMs, gaps], [160, [[100, 150]]])
  })

  it('goes on from what was known before a restart, less the margin', () => {
    const { coverage, gaps } = covering(1_000, 50)
    coverage.advance([channel(5_000, 5_001)])
    assert.deepEqual([coverage.wholeMs, gaps], [5_001, [[1_000, 5_000]]])
  })

  it('waits for a channel that may yet reach over, and needs no gap when it does', () => {
    const { coverage, gaps } = covering(null)
    const old = channel(0, 100)
    const successor = channel(150, 160)
    coverage.advance([old, successor])
    assert.deepEqual(gaps, [])
    old.provenMs = 155
    coverage.advance([old, successor])
    assert.deepEqual([coverage.wholeMs, gaps], [160, []])
  })

  it('names the gap when that channel is done for', () => {
    const { coverage, gaps } = covering(null, 10)
    coverage.advance([channel(0, 100)])
    coverage.advance([channel(0, 100, false), channel(150, 160)])
    assert.deepEqual([coverage.wholeMs, gaps], [160, [[90, 150]]])
  })

  it('never lets the margin reach into the gap before', () => {
    const { coverage, gaps } = covering(null, 10)
    coverage.advance([channel(0, 100, false)])
    coverage.advance([channel(150, 152, false)])
    coverage.advance([channel(200, 201)])
    assert.deepEqual(gaps, [
      [90, 150],
      [150, 200],
    ])
  })

  it('tiles time: covered and gaps together leave nothing out and overlap nowhere', () => {
    const channels = fc.array(fc.tuple(fc.nat(100), fc.nat(40)), { minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(channels, fc.nat(20), (spans, marginMs) => {
        const all = spans.map(([from, length]) => channel(from, from + length, false)).sort((a, b) => a.subscribedAtMs - b.subscribedAtMs)
        const { coverage, gaps } = covering(null, marginMs)
        // They come one by one, as they are opened.
        for (let count = 1; count <= all.length; count++) coverage.advance(all.slice(0, count))
        const covered = (atMs: number): boolean => all.some((one) => one.subscribedAtMs <= atMs && atMs <= one.provenMs!)
        let before = -1
        for (const [fromMs, toMs] of gaps) {
          assert.ok(fromMs < toMs && fromMs >= before)
          before = toMs
        }
        for (let atMs = all[0]!.subscribedAtMs; atMs < coverage.wholeMs!; atMs++) {
          const named = gaps.some(([fromMs, toMs]) => fromMs <= atMs && atMs < toMs)
          assert.ok(covered(atMs) || named, `${atMs} is neither covered nor named`)
          const early = gaps.some(([fromMs, toMs]) => fromMs <= atMs && atMs <= Math.min(toMs, fromMs + marginMs))
          assert.ok(!named || !covered(atMs) || early, `${atMs} is named though it was covered`)
        }
      }),
    )
  })
})

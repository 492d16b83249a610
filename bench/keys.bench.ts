/**
 * What the index of known keys costs: `node bench/keys.bench.ts [million keys ...]` (default 0 1 6 20), alone on the machine.
 *
 * Keys are computed from their number, so `verify` needs no log. The figures are of this process alone; pages of run
 * files come from the page cache, as they do on a machine whose memory is not short.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KeyIndex } from '../src/log/keys/key-index.ts'

const FINDS = 300_000
const STEADY = 1_000_000
const MERGE_EVERY_KEYS = 512
const MERGE_BUDGET_MS = 1

const known = process.argv.slice(2).map(Number)
const targets = (known.length > 0 ? known : [0, 1, 6, 20]).map((millions) => millions * 1_000_000)
const nowMs = (): number => performance.now()
const key = new Uint8Array(16)
const probe = new Uint8Array(16)
const words = new Uint32Array(key.buffer)
const probeWords = new Uint32Array(probe.buffer)
let maxSealMs = 0
let maxMergeMs = 0
let peakIndexBytes = 0

const dir = mkdtempSync(join(tmpdir(), 'trunkline-keys-'))
const verify = (seq: number, asked: Uint8Array): boolean => {
  keyOf(seq, probeWords)
  return Buffer.compare(probe, asked) === 0
}
let index = KeyIndex.open({ dir, verify, endSeq: 0 })
let next = 0
try {
  for (const target of targets) {
    const fillNs = perKey(Math.max(0, target - next), fill)
    settle()
    report(target, fillNs)
  }
} finally {
  index.close()
  rmSync(dir, { recursive: true, force: true })
}

function report(target: number, fillNs: number): void {
  const before = index.stats()
  const missNs = perKey(FINDS, (count) => {
    for (let i = 0; i < count; i++) {
      keyOf(2 ** 40 + i, words)
      if (index.find(key) !== -1) throw new Error('found a key that was never added')
    }
  })
  const after = index.stats()
  const hits = Math.min(next, 50_000)
  const hitNs = perKey(hits, (count) => {
    for (let i = 0; i < count; i++) {
      const seq = Math.floor((i * next) / count)
      keyOf(seq, words)
      if (index.find(key) !== seq) throw new Error(`lost key ${seq}`)
    }
  })
  index.seal()
  const addNs = perKey(100_000, (count) => {
    for (let i = 0; i < count; i++) {
      keyOf(next, words)
      index.add(key, next++)
    }
  })
  maxSealMs = 0
  maxMergeMs = 0
  const steadyNs = perKey(STEADY, steady)
  const { heapUsed, rss, arrayBuffers } = process.memoryUsage()
  const stats = index.stats()
  index.close()
  const openStartMs = nowMs()
  index = KeyIndex.open({ dir, verify, endSeq: next })
  const openMs = nowMs() - openStartMs
  const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`
  process.stdout.write(
    [
      `known ${target / 1e6} M (runs ${before.runs} -> ${stats.runs}, merges ${stats.merges})`,
      `  find miss ${missNs} ns (false positives ${(((after.falsePositives - before.falsePositives) / FINDS) * 100).toFixed(1)} % of finds), find hit ${hitNs} ns, add ${addNs} ns`,
      `  fill (add + seal + merge) ${fillNs} ns/key; find + add + seal + merge ${steadyNs} ns/key = ${Math.round(1e6 / steadyNs)} K keys/s`,
      `  longest add with seal ${maxSealMs.toFixed(1)} ms, longest mergeSome(${MERGE_BUDGET_MS}) ${maxMergeMs.toFixed(1)} ms, open ${openMs.toFixed(0)} ms`,
      `  index memory ${mb(stats.memoryBytes)}, peak so far ${mb(peakIndexBytes)} (a merge holds both filters); process rss ${mb(rss)}, heap ${mb(heapUsed)}, array buffers ${mb(arrayBuffers)}`,
      '',
    ].join('\n'),
  )
}

/** Adds keys, merging as it goes. */
function fill(count: number): void {
  for (let i = 0; i < count; i++) {
    keyOf(next, words)
    index.add(key, next++)
    if (i % MERGE_EVERY_KEYS === 0) {
      index.mergeSome(MERGE_BUDGET_MS, nowMs)
      peakIndexBytes = Math.max(peakIndexBytes, index.stats().memoryBytes)
    }
  }
}

/** What the writer does for each new event: ask, add, and now and then merge. */
function steady(count: number): void {
  for (let i = 0; i < count; i++) {
    keyOf(next, words)
    if (index.find(key) !== -1) throw new Error('found a key that was never added')
    const addStartMs = nowMs()
    index.add(key, next++)
    maxSealMs = Math.max(maxSealMs, nowMs() - addStartMs)
    if (i % MERGE_EVERY_KEYS === 0) {
      const mergeStartMs = nowMs()
      index.mergeSome(MERGE_BUDGET_MS, nowMs)
      maxMergeMs = Math.max(maxMergeMs, nowMs() - mergeStartMs)
      peakIndexBytes = Math.max(peakIndexBytes, index.stats().memoryBytes)
    }
  }
}

function settle(): void {
  while (index.mergeSome(100, nowMs));
}

function perKey(count: number, work: (count: number) => void): number {
  const startMs = nowMs()
  work(count)
  return count === 0 ? 0 : Math.round(((nowMs() - startMs) * 1e6) / count)
}

/** Sixteen well-mixed bytes that depend on the number alone. */
function keyOf(n: number, into: Uint32Array): void {
  let h = (n >>> 0) ^ Math.imul((n / 2 ** 32) >>> 0, 0x9e3779b1)
  for (let i = 0; i < 4; i++) {
    h = (h + 0x9e3779b9) | 0
    let x = Math.imul(h ^ (h >>> 16), 0x21f0aaad)
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97)
    into[i] = x ^ (x >>> 15)
    h = Math.imul(h, 0x85ebca6b) ^ i
  }
}

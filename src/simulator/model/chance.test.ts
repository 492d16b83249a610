import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Seed, type Chance } from './chance.ts'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const words = (chance: Chance, count: number): number[] => Array.from({ length: count }, () => chance.word())
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

test('the same seed, name and number give the same draws; another of them gives others', () => {
  const draws = (seed: string, name: string, n: number): string => words(Seed.of(seed).branch(name).stream(n), 8).join()
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.nat(), (seed, name, n) => {
      const once = draws(seed, name, n)
      assert.equal(draws(seed, name, n), once)
      for (const other of [draws(`${seed}x`, name, n), draws(seed, `${name}x`, n), draws(seed, name, n + 1)]) assert.notEqual(other, once)
    }),
  )
})

test('numbered ids are UUIDs, and no two of a million are alike', () => {
  const seed = Seed.of('ids')
  const ids = new Set<string>()
  for (let n = 0; n < 1_000_000; n++) ids.add(seed.uuid(n))
  assert.equal(ids.size, 1_000_000)
  for (const id of [seed.uuid(0), seed.uuid(2 ** 40), seed.stream().uuid()]) assert.match(id, UUID)
  assert.notEqual(seed.uuid(2 ** 32), seed.uuid(0))
})

test('draws lie in their range and have their mean', () => {
  const chance = Seed.of('draws').stream()
  const many = <T>(draw: () => T): T[] => Array.from({ length: 100_000 }, draw)
  const ranged = many(() => chance.between(3, 7))
  assert.deepEqual(new Set(ranged), new Set([3, 4, 5, 6, 7]))
  assert.ok(Math.abs(mean(ranged) - 5) < 0.05)
  assert.ok(Math.abs(mean(many(() => Number(chance.happens(0.02)))) - 0.02) < 0.002)
  const waits = many(() => chance.exponential(1000))
  assert.ok(Math.abs(mean(waits) - 1000) < 20)
  // Memoryless: a share of 1/e waits longer than the mean.
  assert.ok(Math.abs(mean(waits.map((wait) => Number(wait > 1000))) - Math.exp(-1)) < 0.01)
  assert.ok(waits.every((wait) => Number.isInteger(wait) && wait >= 0))
  assert.ok(Math.abs(mean(many(() => chance.span(5000))) - 5000) < 60)
  assert.ok(!many(() => chance.happens(0)).includes(true) && !many(() => chance.happens(1)).includes(false))
})

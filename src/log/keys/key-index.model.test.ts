import { rmSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import fc from 'fast-check'
import { flipByte, keyOf, Owner, runFiles } from './_owner.ts'

/** Few keys, many of which share prefixes, so that every answer has a chance to be wrong. */
const universe = Array.from({ length: 48 }, (_, i) => keyOf(i % 14, i))
const key = fc.nat(universe.length - 1).map((i) => universe[i] as Uint8Array)
const fraction = fc.double({ min: 0, max: 0.999999, noNaN: true })

const step = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      keys: fc.array(key, { maxLength: 2 }),
      skip: fc.constantFrom(0, 0, 0, 0, 3),
      times: fc.integer({ min: 1, max: 12 }),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('find' as const), key }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('seal' as const) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('merge' as const), steps: fc.integer({ min: 1, max: 40 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('drop' as const), share: fraction }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('crash' as const), lost: fc.constantFrom(0, 0, 1, 5, 20) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('damage' as const),
      how: fc.constantFrom('flip' as const, 'cut' as const, 'delete' as const),
      live: fc.boolean(),
      file: fraction,
      place: fraction,
      mask: fc.integer({ min: 1, max: 255 }),
    }),
  },
)

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

it('answers as the log would, through seals, merges, retention, restarts, crashes, power cuts and damage', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.array(step, { minLength: 10, maxLength: 80 }), (memoryKeys, steps) => {
      const owner = new Owner(memoryKeys)
      try {
        for (const one of steps) take(owner, one)
        owner.check(universe)
        owner.restart()
        owner.check(universe)
      } finally {
        owner.dispose()
      }
    }),
    { numRuns: 200 },
  )
})

function take(owner: Owner, one: Step): void {
  switch (one.do) {
    case 'append':
      for (let i = 0; i < one.times; i++) {
        // A little different each time, from the same small universe.
        const keys = one.keys.map((chosen) => universe[((chosen[15] ?? 0) + i * 5) % universe.length] as Uint8Array)
        owner.append(keys, one.skip)
      }
      break
    case 'find':
      owner.check([one.key])
      break
    case 'seal':
      owner.index.seal()
      break
    case 'merge':
      for (let i = 0; i < one.steps; i++) owner.merge(0)
      break
    case 'drop':
      owner.drop(owner.bound + Math.floor((owner.nextSeq - owner.bound) * one.share * one.share))
      break
    case 'restart':
      owner.restart()
      owner.check(universe)
      break
    case 'crash':
      owner.crash(() => {}, one.lost)
      owner.check(universe)
      break
    case 'damage':
      if (one.live) damage(owner.dir, one)
      else owner.crash((dir) => damage(dir, one))
      owner.check(universe)
  }
}

function damage(dir: string, one: Extract<Step, { do: 'damage' }>): void {
  const names = runFiles(dir)
  const name = names[Math.floor(names.length * one.file)]
  if (name === undefined) return
  const path = join(dir, name)
  if (one.how === 'flip') flipByte(path, one.place, one.mask)
  else if (one.how === 'cut') truncateSync(path, Math.floor(9000 * one.place))
  else rmSync(path)
}

/** When conversations begin: at random, at a rate that follows the hour of the day, with a hump before noon and one after. */
import type { Chance } from './chance.ts'
import { beginConversation } from './journeys.ts'
import type { World } from './world.ts'

const FIRST_AFTER_MS = 200
const HOUR_US = 3_600_000_000
const DAY_US = 24 * HOUR_US
/** Load at each full hour (UTC), straight lines between; the mean is about 1000. */
const LOAD: readonly number[] = [
  150, 100, 90, 90, 120, 220, 500, 950, 1600, 2100, 2250, 2050, 1650, 1600, 1850, 2100, 1950, 1550, 1100, 780, 580, 430, 280, 200,
]
const MOST_LOAD = 2250
const MEAN_LOAD: number = LOAD.reduce((sum, load) => sum + load, 0) / LOAD.length

/** Lets conversations come. The first one comes at once, so that there is something to see. */
export function letCome(world: World): void {
  const { conversationsPerHour, startAtMs, flat } = world.options
  if (conversationsPerHour <= 0) return
  const perHour = flat ? conversationsPerHour : (conversationsPerHour * MOST_LOAD) / MEAN_LOAD
  const stream = world.seed.branch('arrivals').stream()
  const come = (atUs: number): void => {
    world.actions.add(Math.floor(atUs / 1000), () => {
      beginConversation(world)
      come(nextUs(stream, atUs, HOUR_US / perHour, flat))
    })
  }
  come((startAtMs + FIRST_AFTER_MS) * 1000)
}

/** Microseconds, so that many can come within one millisecond. Draws at the highest rate and drops what the hour does not give. */
function nextUs(stream: Chance, fromUs: number, gapUs: number, flat: boolean): number {
  let atUs = fromUs
  do atUs += stream.exponential(gapUs)
  while (!flat && stream.below(MOST_LOAD) >= loadAt(atUs))
  return atUs
}

function loadAt(atUs: number): number {
  const ofDayUs = atUs % DAY_US
  const hour = Math.floor(ofDayUs / HOUR_US)
  const from = LOAD[hour]!
  const to = LOAD[(hour + 1) % 24]!
  return from + Math.floor(((to - from) * (ofDayUs - hour * HOUR_US)) / HOUR_US)
}

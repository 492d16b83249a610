/** When people work, and when they do not: shifts day by day, breaks and meals in them. Who is busy goes when done. */
import type { Presence } from './centre.ts'
import { setPresence, tellQueues } from './agents.ts'
import { seekWork } from './queueing.ts'
import type { Agent } from './records.ts'
import { after, type World } from './world.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
const SHIFT_MS = 8 * HOUR_MS + 30 * MINUTE_MS
/** Hours (UTC) at which shifts begin, so that there are most people when there are most callers. */
const BEGIN_HOURS: readonly number[] = [8, 9, 7, 10, 12, 8, 6, 9, 14, 7, 11, 8, 16, 9, 22, 10]

/** Sends everybody to work at their time; who should be there already comes within moments. */
export function planShifts(world: World): void {
  const { startAtMs, flat } = world.options
  world.agents.forEach((agent, n) => {
    const soonMs = agent.chance.between(100, flat ? 4_000 : 20_000)
    if (flat) return after(world, soonMs, () => beginShift(world, agent, null))
    const offsetMs = BEGIN_HOURS[n % BEGIN_HOURS.length]! * HOUR_MS + agent.chance.between(-10, 10) * MINUTE_MS
    const beginMs = startAtMs - mod(startAtMs - offsetMs, DAY_MS)
    if (startAtMs < beginMs + SHIFT_MS) after(world, soonMs, () => beginShift(world, agent, beginMs))
    else world.actions.add(beginMs + DAY_MS, () => beginShift(world, agent, beginMs + DAY_MS))
  })
}

/** `beginMs` is null for a shift without end. */
function beginShift(world: World, agent: Agent, beginMs: number | null): void {
  const { chance } = agent
  setPresence(world, agent, 'AVAILABLE')
  after(world, beginMs === null ? chance.between(200, 2_000) : chance.between(2_000, 30_000), () => {
    if (agent.presence !== 'AVAILABLE') return
    tellQueues(world, agent, true)
    setPresence(world, agent, 'ON_QUEUE')
    seekWork(world, agent)
  })
  breakLater(world, agent)
  if (beginMs === null) return
  world.actions.add(Math.max(world.nowMs + MINUTE_MS, beginMs + SHIFT_MS), () => whenFree(agent, () => endShift(world, agent)))
  world.actions.add(beginMs + DAY_MS + chance.between(-3, 3) * MINUTE_MS, () => beginShift(world, agent, beginMs + DAY_MS))
}

function endShift(world: World, agent: Agent): void {
  setPresence(world, agent, 'AVAILABLE')
  tellQueues(world, agent, false)
  after(world, agent.chance.between(5_000, 60_000), () => setPresence(world, agent, 'OFFLINE'))
}

function breakLater(world: World, agent: Agent): void {
  after(world, agent.chance.between(60, 140) * MINUTE_MS, () => {
    // The shift may be over.
    if (agent.presence === 'ON_QUEUE') whenFree(agent, () => takeBreak(world, agent))
    else if (agent.presence === 'OFFLINE') return
    breakLater(world, agent)
  })
}

function takeBreak(world: World, agent: Agent): void {
  if (agent.presence !== 'ON_QUEUE') return
  const [presence, leastMinutes, mostMinutes] = agent.chance.pick(BREAKS)
  setPresence(world, agent, presence)
  after(world, agent.chance.between(leastMinutes * 60, mostMinutes * 60) * 1_000, () => {
    if (agent.presence !== presence) return
    setPresence(world, agent, 'ON_QUEUE')
    seekWork(world, agent)
  })
}

/** At once, or when the last leg is settled. What was wanted before is forgotten. */
function whenFree(agent: Agent, action: () => void): void {
  if (agent.legs.size === 0 && !agent.ringing) action()
  else agent.nextPresence = action
}

function mod(value: number, by: number): number {
  return ((value % by) + by) % by
}

const BREAKS: readonly (readonly [presence: Presence, leastMinutes: number, mostMinutes: number])[] = [
  ['BREAK', 5, 15],
  ['BREAK', 10, 20],
  ['MEAL', 25, 40],
  ['AWAY', 2, 8],
  ['MEETING', 15, 30],
]

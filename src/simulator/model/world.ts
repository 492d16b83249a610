/** The one thing all parts of the model share: its time, what is to be done when, and who and what there is. */
import { fixturesOf, type Fixtures } from './centre.ts'
import { Seed, type Chance } from './chance.ts'
import type { SimulationOptions } from './options.ts'
import { Outlet } from './outlet.ts'
import { MEDIA, type Agent, type Conversation, type WorkQueue } from './records.ts'
import { TimeQueue } from './time-queue.ts'

export type World = {
  readonly options: SimulationOptions
  readonly seed: Seed
  readonly fixtures: Fixtures
  readonly outlet: Outlet
  readonly actions: TimeQueue<() => void>
  /** Time of the action under way. */
  nowMs: number
  readonly agents: readonly Agent[]
  readonly queues: readonly WorkQueue[]
  /** Conversations under way, and those that ended not long ago, in the order of their beginning. */
  readonly conversations: Map<string, Conversation>
  /** Ended and settled, the one that settled first in front. */
  readonly ended: TimeQueue<Conversation>
  /** Draws of the centre as a whole. */
  readonly chance: Chance
  readonly births: Seed
  /** How many conversations there were. */
  born: number
}

/** A world in which nothing has happened yet. */
export function newWorld(options: SimulationOptions): World {
  const seed = Seed.of(`trunkline ${options.seed}`)
  const fixtures = fixturesOf(options)
  const queues = fixtures.queues.map((fixture, n): WorkQueue => ({
    fixture,
    members: [],
    waiting: new Set(),
    label: n % 3 === 1 ? fixtures.utilizationLabels[n % 2]! : null,
    interacting: 0,
    entered: 0,
    answered: 0,
    abandoned: 0,
    flowOut: 0,
    live: Object.fromEntries(MEDIA.map((media) => [media, { waiting: 0, interacting: 0, changed: false }])) as WorkQueue['live'],
    observationDue: false,
  }))
  const queueOf = new Map(queues.map((queue) => [queue.fixture.id, queue]))
  const streams = seed.branch('agent')
  const agents = fixtures.users.map((user, n): Agent => {
    const chance = streams.stream(n)
    const agent: Agent = {
      user,
      queues: user.queueIds.map((id) => queueOf.get(id)!),
      skillIds: new Set(fixtures.skills.filter((_, s) => s === 0 || (n + s) % 2 === 0).map((skill) => skill.id)),
      chance,
      presence: 'OFFLINE',
      presenceSinceMs: options.startAtMs,
      routing: 'OFF_QUEUE',
      routingSinceMs: options.startAtMs,
      before: [],
      queuesSinceMs: options.startAtMs,
      legs: new Set(),
      ringing: false,
      nextPresence: null,
      activityDue: false,
      summaryDue: false,
    }
    for (const queue of agent.queues) queue.members.push(agent)
    return agent
  })
  return {
    options,
    seed,
    fixtures,
    outlet: new Outlet(options),
    actions: new TimeQueue(),
    nowMs: options.startAtMs,
    agents,
    queues,
    conversations: new Map(),
    ended: new TimeQueue(),
    chance: seed.branch('world').stream(),
    births: seed.branch('conversation'),
    born: 0,
  }
}

/** Does something so long from now. */
export function after(world: World, ms: number, action: () => void): void {
  world.actions.add(world.nowMs + ms, action)
}

/**
 * The fixtures of the centre: organisation, queues, people, codes, flows. All of it is made from the seed and plainly made
 * up: names end in "Example", addresses in example.com, numbers begin with +1555.
 */
import type { Centre, CentreNamed, CentreQueue, CentreUser } from '../simulation.ts'
import { Seed, type Chance } from './chance.ts'
import type { SimulationOptions } from './options.ts'

export type FlowType = 'INBOUNDCALL' | 'OUTBOUNDCALL' | 'INBOUNDEMAIL' | 'INBOUNDSHORTMESSAGE' | 'INBOUNDCHAT'
export type CentreFlow = CentreNamed & { readonly type: FlowType; readonly version: string; readonly divisionId: string }

/** The port's fixtures, and what only the model needs. */
export type Fixtures = Centre & {
  readonly flows: readonly CentreFlow[]
  readonly skills: readonly CentreNamed[]
  readonly presences: Readonly<Record<Presence, string>>
  readonly flowOutcomes: readonly string[]
  readonly milestones: readonly string[]
  readonly languageId: string
  readonly campaignId: string
  readonly contactListId: string
  /** The last of `queues` when there is one. */
  readonly noisyQueue: CentreQueue | null
  readonly utilizationLabels: readonly string[]
}

/** As Genesys writes them in events. */
export type Presence = 'OFFLINE' | 'AVAILABLE' | 'ON_QUEUE' | 'BREAK' | 'MEAL' | 'AWAY' | 'MEETING'

const PRESENCES: readonly Presence[] = ['OFFLINE', 'AVAILABLE', 'ON_QUEUE', 'BREAK', 'MEAL', 'AWAY', 'MEETING']
const QUEUE_NAMES = ['Support', 'Billing', 'Sales', 'Claims', 'Renewals', 'Technical', 'Returns', 'Bookings', 'Complaints', 'Loyalty']
const GIVEN_NAMES = [
  'Ada',
  'Ben',
  'Chloë',
  'Dario',
  'Eva',
  'Femi',
  'Grace',
  'Hugo',
  'Ines',
  'Jonas',
  'Kei',
  'Lena',
  'Mateo',
  'Nadia',
  'Oleg',
  'Priya',
]
const CODES = ['Solved', 'Follow-up needed', 'Wrong number', 'Complaint', 'Sale', 'Information given', 'Escalated', 'Default Wrap-up Code']
const SKILLS = ['English', 'Spanish', 'German', 'VIP', 'Hardware']
const FLOWS: readonly (readonly [name: string, type: FlowType])[] = [
  ['Main line', 'INBOUNDCALL'],
  ['Second line', 'INBOUNDCALL'],
  ['Campaign greeting', 'OUTBOUNDCALL'],
  ['Mail sorting', 'INBOUNDEMAIL'],
  ['Message greeting', 'INBOUNDSHORTMESSAGE'],
  ['Web chat', 'INBOUNDCHAT'],
]

/** One of the queues: the first ones are the busy ones, and have the most people, unless all are to be alike. */
export function drawQueue({ queues: count, evenQueues }: SimulationOptions, chance: Chance): number {
  if (evenQueues) return chance.below(count)
  const weightOf = (n: number): number => Math.floor(1_200 / (n + 2))
  let total = 0
  for (let n = 0; n < count; n++) total += weightOf(n)
  let drawn = chance.below(total)
  for (let n = 0; n < count; n++) {
    drawn -= weightOf(n)
    if (drawn < 0) return n
  }
  return count - 1
}

/** Every agent serves a queue of their own and some more; every queue has somebody. */
export function fixturesOf(options: SimulationOptions): Fixtures {
  const seed = Seed.of(`trunkline ${options.seed}`).branch('centre')
  const ids = (kind: string): ((n: number) => string) => {
    const branch = seed.branch(kind)
    return (n) => branch.uuid(n)
  }
  const named = (kind: string, names: readonly string[]): CentreNamed[] => names.map((name, n) => ({ id: ids(kind)(n), name }))
  const organization = { id: ids('organization')(0), name: 'Example Contact Centre' }
  const divisions = named('division', ['Home', 'Europe', 'Americas'])
  const queueId = ids('queue')
  const queue = (n: number, name: string): CentreQueue => ({
    id: queueId(n),
    name,
    divisionId: divisions[n % divisions.length]!.id,
    serviceTarget: { percentage: 0.8, durationMs: n % 3 === 2 ? 60_000 : 20_000 },
  })
  const queues = Array.from({ length: options.queues }, (_, n) =>
    queue(
      n,
      n < QUEUE_NAMES.length ? QUEUE_NAMES[n]! : `${QUEUE_NAMES[n % QUEUE_NAMES.length]!} ${Math.floor(n / QUEUE_NAMES.length) + 1}`,
    ),
  )
  const noisyQueue = options.noisyQueuePerSecond > 0 ? queue(options.queues, 'Noisy') : null
  const userId = ids('user')
  const users = Array.from({ length: options.agents }, (_, n) => user(n, userId(n), divisions, queues, options, seed))
  return {
    organization,
    divisions,
    queues: noisyQueue === null ? queues : [...queues, noisyQueue],
    users,
    wrapupCodes: named('wrapup', CODES),
    flows: FLOWS.map(([name, type], n) => ({
      id: ids('flow')(n),
      name,
      type,
      version: `${(n * 7 + 3) % 20}.0`,
      divisionId: divisions[0]!.id,
    })),
    source: `aws.partner/genesys.com/cloud/${organization.id}/simulated`,
    skills: named('skill', SKILLS),
    presences: Object.fromEntries(PRESENCES.map((name, n) => [name, ids('presence')(n)])) as Record<Presence, string>,
    flowOutcomes: [0, 1, 2].map(ids('outcome')),
    milestones: [0, 1, 2, 3].map(ids('milestone')),
    languageId: ids('language')(0),
    campaignId: ids('campaign')(0),
    contactListId: ids('contactlist')(0),
    noisyQueue,
    utilizationLabels: [0, 1].map(ids('label')),
  }
}

function user(
  n: number,
  id: string,
  divisions: readonly CentreNamed[],
  queues: readonly CentreQueue[],
  options: SimulationOptions,
  seed: Seed,
): CentreUser {
  const chance = seed.branch('membership').stream(n)
  const given = GIVEN_NAMES[n % GIVEN_NAMES.length]!
  const number = Math.floor(n / GIVEN_NAMES.length)
  const own = queues.filter((_, q) => q % options.agents === n || n % queues.length === q)
  const more = Array.from({ length: chance.between(1, 3) }, () => queues[drawQueue(options, chance)]!)
  return {
    id,
    name: number === 0 ? `${given} Example` : `${given} Example ${number + 1}`,
    email: `agent.${n + 1}@example.com`,
    divisionId: divisions[n % divisions.length]!.id,
    queueIds: [...new Set([...own, ...more].map((queue) => queue.id))],
  }
}

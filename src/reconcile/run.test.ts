/** A run against an API that fails, forbids, forgets and is slow. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TrunklineError } from '../errors.ts'
import { GenesysError } from '../genesys/failure.ts'
import type { ConversationDetail, UserStatus } from '../genesys/platform.ts'
import { createState } from '../state/folded-state.ts'
import type { Fact } from '../state/fact.ts'
import type { State } from '../state/state.ts'
import { handClock } from '../testing/hand-clock.ts'
import { Asked } from './asked.ts'
import { newRun, type Run, type RunRequest } from './report.ts'
import { reconcile, type RunPorts } from './run.ts'

const NOW_MS = Date.UTC(2026, 7, 14, 12)
const HOUR_MS = 3_600_000
const iso = (ms: number): string => new Date(ms).toISOString()

test('the silent are asked for, the most silent first; what is over is closed, what goes on is left alone', async () => {
  const at = scene()
  for (const [id, hours] of [
    ['c-1', 6],
    ['c-2', 7],
    ['c-3', 1],
    ['c-4', 5],
  ] as const)
    at.open(id, hours)
  at.ended('c-1', 5.5)
  at.ended('c-4', 4.5)
  const run = await at.run()
  assert.deepEqual(at.calls, ['c-2', 'c-1', 'c-4'])
  assert.deepEqual(run.conversations, { toAsk: 3, asked: 3, left: 0 })
  assert.deepEqual(
    run.findings.map(({ id, kind, outcome, repairs }) => [id, kind, outcome, repairs.map(({ event }) => event)]),
    [
      ['c-1', 'stuck', 'repaired', ['e-1']],
      ['c-4', 'stuck', 'repaired', ['e-2']],
    ],
  )
  assert.deepEqual(
    ['c-1', 'c-2', 'c-4'].map((id) => at.state.conversation(id, NOW_MS)?.open),
    [false, true, false],
  )
  assert.deepEqual((await at.run()).findings, [])
  assert.equal(at.given.length, 2)
})

test('a dry run gives nothing', async () => {
  const at = scene()
  at.open('c-1', 6)
  at.ended('c-1', 5)
  const run = await at.run({ dryRun: true })
  assert.deepEqual([run.findings[0]?.outcome, run.repaired, at.given], ['would_repair', 0, []])
})

test('no more than a run may ask for; the next runs go on with those whose turn is longest ago', async () => {
  const at = scene()
  for (let n = 0; n < 5; n++) at.open(`c-${n}`, 9 - n)
  const lefts: number[] = []
  for (let n = 0; n < 3; n++) {
    lefts.push((await at.run({}, 2)).conversations.left)
    at.clock.pass(1)
  }
  assert.deepEqual(at.calls, ['c-0', 'c-1', 'c-2', 'c-3', 'c-4', 'c-0'])
  assert.deepEqual(lefts, [3, 3, 3])
})

test('what Genesys does not know or show is said and not asked for in every scheduled run', async () => {
  const at = scene()
  at.open('c-gone', 6)
  at.open('c-hidden', 5)
  at.answer('c-gone', null)
  at.answer('c-hidden', new GenesysError('genesys.forbidden', 'no', 'no', { status: 403 }))
  const run = await at.run({ by: 'schedule' })
  assert.deepEqual(
    run.findings.map(({ kind, obstacle, outcome }) => [kind, obstacle, outcome]),
    [
      ['unknown', 'not_found', 'not_repaired'],
      ['unknown', 'forbidden', 'not_repaired'],
    ],
  )
  assert.deepEqual([run.problems, at.given], [[], []])
  assert.equal((await at.run({ by: 'schedule' })).conversations.toAsk, 0)
  assert.equal((await at.run({ by: 'request' })).conversations.toAsk, 2, 'a person who asks is answered')
})

test('a permission that is missing ends the conversations of the run, is told, and agents are asked for all the same', async () => {
  const at = scene()
  for (const id of ['c-1', 'c-2', 'c-3']) at.open(id, 6)
  at.answer(
    'c-1',
    new GenesysError('genesys.forbidden', 'lacks', 'add it', { status: 403, permissions: ['analytics:conversationDetail:view'] }),
  )
  at.tell({ kind: 'routing', of: 'u-1', atMs: NOW_MS - 6 * HOUR_MS, status: 'IDLE' })
  at.users.set('u-1', { id: 'u-1', presence: null, routingStatus: { status: 'OFF_QUEUE', startTime: iso(NOW_MS - HOUR_MS) } })
  const run = await at.run()
  assert.deepEqual(at.calls, ['c-1', 'u-1'])
  assert.deepEqual(
    run.problems.map(({ code, hint }) => [code, hint]),
    [['genesys.forbidden', 'add it']],
  )
  assert.deepEqual([run.conversations.asked, run.found.mismatch, at.state.agent('u-1', NOW_MS)?.routingStatus], [0, 1, 'OFF_QUEUE'])
})

test('an API that is not there ends the run; nobody counts as asked who was not', async () => {
  const at = scene()
  for (const id of ['c-1', 'c-2', 'c-3']) at.open(id, 6)
  at.answer('c-2', new GenesysError('genesys.unavailable', 'not now', 'later'))
  const run = await at.run({ by: 'schedule' })
  assert.deepEqual([at.calls, run.conversations.asked, run.problems.length, run.endedAtMs], [['c-1', 'c-2'], 1, 1, NOW_MS])
  at.answer('c-2', undefined)
  await at.run({ by: 'schedule' })
  assert.deepEqual(at.calls.slice(2), ['c-2', 'c-3'])
})

test('one odd answer does not keep the others from being asked; five in a row do', async () => {
  const at = scene()
  for (let n = 0; n < 9; n++) at.open(`c-${n}`, 20 - n)
  at.answer('c-0', new GenesysError('genesys.bad_answer', 'odd', 'look'))
  assert.deepEqual([(await at.run()).conversations.asked, at.calls.length], [8, 9])
  for (let n = 0; n < 9; n++) at.answer(`c-${n}`, new GenesysError('genesys.server_error', 'broken', 'later'))
  at.calls.length = 0
  at.clock.pass(1)
  const [broken, next] = [await at.run(), await at.run()]
  assert.deepEqual([broken.conversations.asked, next.conversations.asked, at.calls.length], [0, 0, 10])
  assert.notEqual(at.calls[0], at.calls[5], 'those that were asked for wait for their turn')
})

test('an end that arrives while the API is asked is no difference, and neither is a status', async () => {
  const at = scene()
  at.open('c-1', 6)
  at.ended('c-1', 5)
  at.tell({ kind: 'routing', of: 'u-1', atMs: NOW_MS - 6 * HOUR_MS, status: 'IDLE' })
  at.users.set('u-1', { id: 'u-1', presence: null, routingStatus: { status: 'OFF_QUEUE', startTime: iso(NOW_MS - HOUR_MS) } })
  at.meanwhile = () => {
    at.tell(endOf('c-1', 5))
    at.tell({ kind: 'routing', of: 'u-1', atMs: NOW_MS - 1000, status: 'INTERACTING' })
  }
  const run = await at.run()
  assert.deepEqual([run.findings, at.given], [[], []])
})

test('a customer who comes back while the API is asked keeps the conversation open', async () => {
  const at = scene()
  at.open('c-1', 6)
  at.ended('c-1', 5)
  at.meanwhile = () => at.open('c-1', 0.0001, 's-back')
  const run = await at.run()
  assert.deepEqual(
    run.findings.map(({ kind, obstacle, outcome }) => [kind, obstacle, outcome]),
    [['stuck', 'newer_here', 'not_repaired']],
  )
  assert.deepEqual([at.given, at.state.conversation('c-1', NOW_MS)?.open], [[], true])
})

test('a state that is too far behind is not compared', async () => {
  const at = scene()
  at.open('c-1', 6)
  at.behind = true
  const run = await at.run()
  assert.deepEqual([at.calls, run.problems[0]?.code], [[], 'reconcile.state_behind'])
})

test('repairs that the log had before are said to be so; a log that takes nothing is a problem', async () => {
  const at = scene()
  at.open('c-1', 6)
  at.ended('c-1', 5)
  at.repeated = true
  assert.deepEqual([(await at.run()).findings[0]?.outcome, (await at.run()).repaired], ['repaired_before', 0])
  at.full = true
  const run = await at.run()
  assert.deepEqual([run.problems[0]?.code, run.findings], ['log.full', []])
})

type Answer = ConversationDetail | Error | null | undefined

type Scene = {
  readonly state: State
  readonly calls: string[]
  readonly given: string[]
  readonly users: Map<string, UserStatus>
  readonly clock: ReturnType<typeof handClock>
  /** Happens while the API is asked. */
  meanwhile: () => void
  behind: boolean
  repeated: boolean
  full: boolean
  tell(fact: Fact): void
  /** A conversation that began so many hours ago, and of which nothing was heard since. */
  open(id: string, hoursAgo: number, sessionId?: string): void
  /** What the API says of it: over since so many hours. */
  ended(id: string, hoursAgo: number): void
  answer(id: string, answer: Answer): void
  run(request?: Partial<RunRequest>, maxPerRun?: number): Promise<Run>
}

function scene(): Scene {
  const clock = handClock(NOW_MS)
  const state = createState()
  const answers = new Map<string, Answer>()
  const asked = new Asked({ firstMs: HOUR_MS, longestMs: HOUR_MS, max: 100 })
  let number = 0
  const ports: RunPorts = {
    platform: {
      conversationDetail: async (id) => {
        self.calls.push(id)
        self.meanwhile()
        const answer = answers.get(id)
        if (answer instanceof Error) throw answer
        return answer === undefined ? { conversationId: id } : answer
      },
      userStatuses: async (ids) => {
        self.calls.push(...ids)
        self.meanwhile()
        return ids.flatMap((id) => self.users.get(id) ?? [])
      },
    },
    state: () => state,
    horizonMs: 24 * HOUR_MS,
    caughtUp: async () => {
      if (self.behind) throw new TrunklineError('reconcile.state_behind', 'behind', 'later')
    },
    liveEventsOf: async () => [],
    give: async (records) => {
      if (self.full) throw new TrunklineError('log.full', 'full', 'make room')
      for (const record of records) {
        self.given.push(record)
        if (!self.repeated) self.tell(factIn(record))
      }
      return { ids: records.map((_, n) => `e-${self.given.length - records.length + n + 1}`), repeated: self.repeated }
    },
    clock,
    signal: new AbortController().signal,
  }
  const self: Scene = {
    state,
    calls: [],
    given: [],
    users: new Map(),
    clock,
    meanwhile: () => undefined,
    behind: false,
    repeated: false,
    full: false,
    tell: (fact) => state.apply([fact], NOW_MS),
    open: (id, hours, sessionId = `s-${id}`) =>
      state.apply(
        [
          {
            ...endOf(id, hours),
            kind: 'started',
            sessionId,
            direction: null,
            provider: null,
            messageType: null,
            from: null,
            to: null,
            flowType: null,
          },
        ],
        NOW_MS,
      ),
    ended: (id, hours) => void answers.set(id, detailOf(id, hours)),
    answer: (id, answer) => void answers.set(id, answer),
    async run(request = {}, maxPerRun = 100) {
      const whole: RunRequest = { by: 'request', conversations: [], agents: [], olderThanMs: 4 * HOUR_MS, dryRun: false, ...request }
      const run = newRun(++number, whole, clock.nowMs())
      await reconcile(whole, run, { maxPerRun, agents: true }, asked, ports)
      return run
    },
  }
  return self
}

function detailOf(id: string, hoursAgo: number): ConversationDetail {
  const end = iso(NOW_MS - hoursAgo * HOUR_MS)
  const segments = [{ segmentStart: iso(NOW_MS - 100 * HOUR_MS), segmentEnd: end, segmentType: 'interact', disconnectType: 'client' }]
  return {
    conversationId: id,
    conversationEnd: end,
    participants: [{ participantId: `p-${id}`, purpose: 'customer', sessions: [{ sessionId: `s-${id}`, mediaType: 'voice', segments }] }],
  }
}

function endOf(id: string, hoursAgo: number): Extract<Fact, { kind: 'ended' }> {
  return {
    kind: 'ended',
    of: id,
    atMs: NOW_MS - hoursAgo * HOUR_MS,
    side: 'customer',
    sessionId: `s-${id}`,
    participantId: `p-${id}`,
    mediaType: 'VOICE',
    userId: null,
    queueId: null,
    flowId: null,
    disconnectType: 'CLIENT',
    outcome: null,
    answeredUserId: null,
    connectedMs: null,
    alertMs: null,
    dialMs: null,
    talkMs: null,
    holdMs: null,
  }
}

/** Enough of the way through decode for these two topics. */
function factIn(record: string): Fact {
  const { eventBody } = JSON.parse(record) as {
    eventBody: { conversationId?: string; eventTime: number; id?: string; routingStatus?: { status: string; startTime: string } }
  }
  const { conversationId, eventTime, id, routingStatus } = eventBody
  if (conversationId !== undefined) return { ...endOf(conversationId, 0), atMs: eventTime }
  return { kind: 'routing', of: id ?? '', atMs: Date.parse(routingStatus?.startTime ?? ''), status: routingStatus?.status ?? '' }
}

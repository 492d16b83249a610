/**
 * One run: who has been silent for too long is asked for at Genesys, one after the other, and what differs is put right by events.
 *
 * Races: an answer is compared with the state only when that has taken in everything the log had when the answer came, so what
 * arrived meanwhile is no difference. A failure of the API ends the part that it concerns; nobody is taken for asked who was not.
 */
import { TrunklineError } from '../errors.ts'
import type { ConversationDetail, Platform } from '../genesys/platform.ts'
import type { Clock } from '../pipeline/clock.ts'
import type { LiveEvent } from '../sources/notifications/match-live.ts'
import type { State } from '../state/state.ts'
import { compareAgent, saidOf, silentSinceMs } from './agent.ts'
import type { Asked } from './asked.ts'
import { compareConversation, saidHere } from './conversation.ts'
import { recordOf, unknownEntity, type Comparison } from './finding.ts'
import { report, trouble, type Reported, type Run, type RunRequest } from './report.ts'

/** What became of records: Trunkline's ids, and whether the log had all of them before. */
export type Given = { readonly ids: readonly string[]; readonly repeated: boolean }

export type RunPorts = {
  readonly platform: Pick<Platform, 'conversationDetail' | 'userStatuses'>
  readonly state: () => Pick<State, 'newestAtMs' | 'conversation' | 'agent' | 'agents' | 'unfinishedSince'>
  /** `state.horizonMs`. */
  readonly horizonMs: number
  /** Resolves when the state is made of all that the log has now; rejects when that takes too long. */
  readonly caughtUp: () => Promise<void>
  /** What the log has of a conversation. */
  readonly liveEventsOf: (conversationId: string) => Promise<readonly LiveEvent[]>
  /** Puts records into the log, on disk when it resolves. */
  readonly give: (records: readonly string[]) => Promise<Given>
  readonly clock: Clock
  readonly signal: AbortSignal
}

export type RunSettings = {
  /** Conversations in a run; of agents fifty count as one, as a call asks for so many. */
  readonly maxPerRun: number
  readonly agents: boolean
}

const AGENTS_A_CALL = 50
/** Failures one after the other that each concern a single entity: then it is the API. */
const MAX_FAILURES = 5

/** Does a run; what it finds is in `run` while it goes on. Never rejects. */
export async function reconcile(request: RunRequest, run: Run, settings: RunSettings, asked: Asked, ports: RunPorts): Promise<void> {
  try {
    await ports.caughtUp()
    const chosen = chosenFor(request, settings, asked, ports)
    Object.assign(run.conversations, { toAsk: chosen.conversations.length, left: chosen.conversationsLeft })
    Object.assign(run.agents, { toAsk: chosen.agents.length, left: chosen.agentsLeft })
    const part = { request, run, asked, ports }
    await askAll(part, 'conversation', chosen.conversations, 1, ([id]) => compareOneConversation(part, id!))
    await askAll(part, 'agent', chosen.agents, AGENTS_A_CALL, (ids) => compareAgents(part, ids))
  } catch (error) {
    if (!ports.signal.aborted) trouble(run, problemOf(error))
  }
  run.endedAtMs = ports.clock.nowMs()
}

type Part = { readonly request: RunRequest; readonly run: Run; readonly asked: Asked; readonly ports: RunPorts }

type Chosen = {
  readonly conversations: readonly string[]
  readonly conversationsLeft: number
  readonly agents: readonly string[]
  readonly agentsLeft: number
}

/** Whom to ask for: those named, else the silent, first who was asked for longest ago. A scheduled run leaves out those whose turn it is not. */
function chosenFor(request: RunRequest, { maxPerRun, agents: withAgents }: RunSettings, asked: Asked, { state, clock }: RunPorts): Chosen {
  if (request.conversations.length + request.agents.length > 0)
    return { conversations: request.conversations, conversationsLeft: 0, agents: request.agents, agentsLeft: 0 }
  const nowMs = clock.nowMs()
  const beforeMs = nowMs - request.olderThanMs
  const silent = state().unfinishedSince(beforeMs, Infinity)
  const conversations = inTurn(silent, 'conversation', request, asked, nowMs, maxPerRun)
  const quiet = !withAgents
    ? []
    : state()
        .agents(nowMs)
        .map((agent) => ({ id: agent.userId, newestAtMs: silentSinceMs(agent) ?? Infinity }))
        .filter(({ newestAtMs }) => newestAtMs < beforeMs)
  const agents = inTurn(quiet, 'agent', request, asked, nowMs, maxPerRun * AGENTS_A_CALL)
  return { conversations: conversations.ids, conversationsLeft: conversations.left, agents: agents.ids, agentsLeft: agents.left }
}

function inTurn(
  silent: readonly { readonly id: string; readonly newestAtMs: number }[],
  entity: Reported['entity'],
  { by }: RunRequest,
  asked: Asked,
  nowMs: number,
  max: number,
): { readonly ids: readonly string[]; readonly left: number } {
  const due = by === 'request' ? silent : silent.filter(({ id, newestAtMs }) => asked.isDue(`${entity} ${id}`, newestAtMs, nowMs))
  const first = due.toSorted((a, b) => compareNumbers(asked.askedAtMs(`${entity} ${a.id}`), asked.askedAtMs(`${entity} ${b.id}`)))
  return { ids: first.slice(0, max).map(({ id }) => id), left: Math.max(0, first.length - max) }
}

/** Asks for all of them, some at a time. What concerns one alone does not keep the others from being asked. */
async function askAll(
  part: Part,
  entity: Reported['entity'],
  ids: readonly string[],
  atOnce: number,
  compare: (ids: readonly string[]) => Promise<void>,
): Promise<void> {
  const { run, ports } = part
  const counts = entity === 'agent' ? run.agents : run.conversations
  let failures = 0
  for (let at = 0; at < ids.length && !ports.signal.aborted; at += atOnce) {
    const some = ids.slice(at, at + atOnce)
    try {
      await compare(some)
      counts.asked += some.length
      failures = 0
    } catch (error) {
      if (ports.signal.aborted) return
      trouble(run, problemOf(error))
      if (codeOf(error) === 'genesys.forbidden') return
      if (!OF_ONE.has(codeOf(error))) throw error
      // Otherwise they would be the first ones again, and nobody else's turn would ever come.
      for (const id of some) wasAsked(part, entity, id)
      if (++failures >= MAX_FAILURES) throw error
    }
  }
}

async function compareOneConversation(part: Part, id: string): Promise<void> {
  const { ports } = part
  const { clock, signal, platform, state, horizonMs } = ports
  const askedAtMs = clock.nowMs()
  const there = await answered(() => platform.conversationDetail(id, signal))
  await ports.caughtUp()
  const here = state().conversation(id, clock.nowMs())
  wasAsked(part, 'conversation', id)
  if (there === 'forbidden' || there === null || there.conversationId !== id) {
    const finding = unknownEntity('conversation', id, saidHere(here), there === 'forbidden' ? 'forbidden' : 'not_found')
    return note(part, { finding, repairs: [] }, 'not_repaired')
  }
  const live = here === null ? await ports.liveEventsOf(id) : []
  const found = compareConversation({ here, there, askedAtMs, live, frozenBeforeMs: state().newestAtMs - horizonMs })
  if (found !== null) await settle(part, found)
}

async function compareAgents(part: Part, ids: readonly string[]): Promise<void> {
  const { ports } = part
  const { clock, signal, platform, state } = ports
  const askedAtMs = clock.nowMs()
  const answers = new Map((await platform.userStatuses(ids, signal)).map((status) => [status.id, status]))
  await ports.caughtUp()
  for (const id of ids) {
    const here = state().agent(id, clock.nowMs())
    wasAsked(part, 'agent', id)
    const there = answers.get(id)
    if (here === null) trouble(part.run, NOT_IN_STATE)
    if (there === undefined) {
      const said = here === null ? { value: null, sinceMs: null } : saidOf(here)
      note(part, { finding: unknownEntity('agent', id, said, 'not_found'), repairs: [] }, 'not_repaired')
    } else if (here !== null) for (const found of compareAgent({ here, there, askedAtMs })) await settle(part, found)
  }
}

/** Its turn is over, until something is heard of it or its wait has ended. */
function wasAsked({ asked, ports: { state, clock } }: Part, entity: Reported['entity'], id: string): void {
  const nowMs = clock.nowMs()
  const agent = entity === 'agent' ? state().agent(id, nowMs) : null
  const newestAtMs = entity === 'agent' ? (agent === null ? null : silentSinceMs(agent)) : state().conversation(id, nowMs)?.newestAtMs
  asked.note(`${entity} ${id}`, newestAtMs ?? -Infinity, nowMs)
}

/** Repairs what can be. */
async function settle(part: Part, found: Comparison): Promise<void> {
  if (found.repairs.length === 0) return note(part, found, 'not_repaired')
  if (part.request.dryRun) return note(part, found, 'would_repair')
  const { ids, repeated } = await part.ports.give(found.repairs.map((repair) => recordOf(repair, found.finding.kind)))
  note(part, found, repeated ? 'repaired_before' : 'repaired', ids)
}

function note({ run, ports }: Part, found: Comparison, outcome: Reported['outcome'], ids: readonly string[] = []): void {
  report(run, found, { atMs: ports.clock.nowMs(), outcome }, ids)
}

/** An answer, or that it is not for this client. A permission that is missing concerns all of them, and is thrown. */
async function answered(ask: () => Promise<ConversationDetail | null>): Promise<ConversationDetail | 'forbidden' | null> {
  try {
    return await ask()
  } catch (error) {
    if (codeOf(error) !== 'genesys.forbidden' || (error as { permissions?: readonly string[] }).permissions?.length !== 0) throw error
    return 'forbidden'
  }
}

const NOT_IN_STATE = {
  code: 'agent.unknown',
  message: 'the state has nothing of an agent that was named, so there is nothing to compare',
  hint: 'See `trunkline state agents` for those it has.',
}

/** Failures that may concern the one that was asked for, and nobody else. */
const OF_ONE: ReadonlySet<string> = new Set(['genesys.bad_answer', 'genesys.refused', 'genesys.bad_id', 'genesys.server_error'])

function codeOf(error: unknown): string {
  return error instanceof TrunklineError ? error.code : ''
}

function problemOf(error: unknown): { readonly code: string; readonly message: string; readonly hint: string } {
  if (error instanceof TrunklineError) return { code: error.code, message: error.message, hint: error.hint }
  const message = error instanceof Error ? error.message : String(error)
  return {
    code: 'reconcile.failed',
    message: `reconciling failed: ${message}`,
    hint: 'It is tried again in the next run; please report it.',
  }
}

/** For -Infinity too, of which there may be two. */
function compareNumbers(a: number, b: number): number {
  return a === b ? 0 : a - b
}

/** A simulated centre whose day has just been, sent to a service with disorder and duplicates, and its truth beside the service's answers. */
import assert from 'node:assert/strict'
import { Traffic } from '../../src/simulator/faults.ts'
import { writerOf } from '../../src/simulator/envelope.ts'
import { simulation } from '../../src/simulator/model/simulation.ts'
import type { SimulationOptions } from '../../src/simulator/model/options.ts'
import type { Truth } from '../../src/simulator/simulation.ts'
import type { AgentState } from '../../src/state/agent-state.ts'
import type { ConversationState } from '../../src/state/conversation-state.ts'
import type { QueueState } from '../../src/state/queue-state.ts'
import { sideBySide } from '../../src/testing/simulated-state.ts'

export const DISORDER_MS = 30_000
const HOUR_MS = 3_600_000
const LINES_A_REQUEST = 400
/** All has been published, whenever the test runs. */
const AGO_MS = 15 * 60_000

export type PlayedDay = {
  /** NDJSON, as it arrives. */
  readonly requests: readonly string[]
  readonly copies: number
  readonly distinct: number
  readonly duplicates: number
  readonly truth: Truth
}

export function playedDay(options: Partial<SimulationOptions> = {}): PlayedDay {
  const durationMs = options.durationMs ?? HOUR_MS
  const centre = simulation({
    seed: '11',
    startAtMs: Date.now() - AGO_MS - durationMs,
    durationMs,
    // Whatever the hour in which the test runs.
    flat: true,
    keepEndedMs: Infinity,
    keepEndedMax: Infinity,
    ...options,
  })
  const write = writerOf('eventbridge', { seed: '11', source: centre.centre.source })
  const faults = { duplicates: 0.05, disorderMs: DISORDER_MS, drift: 0, oversize: 0, malformed: 0 }
  const traffic = new Traffic({ simulation: centre, write, faults, seed: '11', limit: null })
  const lines: string[] = []
  for (let copy = traffic.next(); copy !== null; copy = traffic.next()) lines.push(String(copy.record))
  const requests: string[] = []
  for (let at = 0; at < lines.length; at += LINES_A_REQUEST) requests.push(lines.slice(at, at + LINES_A_REQUEST).join('\n'))
  const { copies, distinct, duplicates } = traffic.emitted
  return { requests, copies, distinct, duplicates, truth: centre.truth() }
}

/** Sends one request, again and again as at-least-once clients do; false when the service is gone. */
export async function post(url: string, body: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/v1/events`, { method: 'POST', headers: { 'content-type': 'application/x-ndjson' }, body })
    await response.text()
    assert.equal(response.status, 202)
    return true
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error
    return false
  }
}

export async function fetched<T>(url: string, path: string): Promise<T | null> {
  const response = await fetch(url + path)
  const answer = (await response.json()) as T
  if (response.status === 404) return null
  assert.equal(response.status, 200, path)
  return answer
}

/** Fails unless what the service answers is the centre's truth, to the event. */
export async function assertTrue(url: string, truth: Truth): Promise<void> {
  const { atMs } = truth
  const conversations = new Map<string, ConversationState | null>()
  for (const { id } of truth.conversations)
    conversations.set(
      id,
      (await fetched<{ conversation: ConversationState }>(url, `/v1/conversations/${id}?asOf=${atMs}`))?.conversation ?? null,
    )
  const agents = (await fetched<{ agents: AgentState[] }>(url, `/v1/agents?asOf=${atMs}`))?.agents ?? []
  const queues = (await fetched<{ queues: QueueState[] }>(url, `/v1/queues?asOf=${atMs}&from=0&to=${atMs + 1}`))?.queues ?? []
  const both = sideBySide({ conversation: (id) => conversations.get(id) ?? null, agents: () => agents, queues: () => queues }, truth)
  assert.deepEqual(both.state, both.truth)
}

/** Names beside ids, and what service levels are measured by, with the directory of a simulated Genesys Cloud behind the service. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '../../src/hosts/clock.ts'
import type { AgentView, ConversationView, QueueView } from '../../src/hosts/state-views.ts'
import { simulation } from '../../src/simulator/model/simulation.ts'
import { startPlatform } from '../../src/simulator/platform/platform.ts'
import { fetched, playedDay, post } from './_state.ts'
import { running, until } from './_service.ts'

const CREDENTIALS = { clientId: 'client-1', clientSecret: 'secret-1' }

test('names of queues, users, wrap-up codes and flows stand beside the ids; targets are from the directory, or from the configuration', async (t) => {
  const day = playedDay({ durationMs: 20 * 60_000 })
  // The same centre, as the same seed has it.
  const platform = await startPlatform({
    simulation: simulation({ seed: '11', startAtMs: Date.now(), flat: true, durationMs: 1 }),
    clock: systemClock,
    random: () => 0.5,
    credentials: CREDENTIALS,
  })
  t.after(() => platform.stop())
  const { centre } = simulation({ seed: '11', flat: true })
  const [overridden, plain] = centre.queues
  assert.ok(overridden !== undefined && plain !== undefined)
  const service = await running(t, {
    config: {
      genesys: { baseUrl: platform.url, ...CREDENTIALS },
      state: { shortAbandonMs: 3_000, serviceLevels: { [overridden.name]: { targetMs: 1 } } },
    },
  })
  for (const body of day.requests) assert.ok(await post(service.url, body))
  const all = async <T>(path: string): Promise<T> => (await fetched<T>(service.url, path))!
  await until('names are there, and all of the day', async () => {
    const { kinds } = await all<{ kinds: { loadedAtMs: number | null }[] }>('/v1/directory')
    const { state } = await all<{ state: { lagEvents: number } }>('/v1/stats')
    return kinds.every(({ loadedAtMs }) => loadedAtMs !== null) && state.lagEvents === 0
  })

  const known = new Map(
    [...centre.queues, ...centre.users, ...centre.wrapupCodes, ...centre.flows, ...centre.divisions].map(({ id, name }) => [id, name]),
  )
  const kindOf = (id: string): string =>
    centre.queues.some((one) => one.id === id)
      ? 'queue'
      : centre.users.some((one) => one.id === id)
        ? 'user'
        : centre.flows.some((one) => one.id === id)
          ? 'flow'
          : centre.divisions.some((one) => one.id === id)
            ? 'division'
            : 'wrapupCode'
  const assertNamed = (thing: { readonly names: object }, ids: readonly (string | null)[]): void => {
    const { names, ...rest } = thing
    for (const id of ids) if (id !== null) assert.ok(known.has(id) && JSON.stringify(rest).includes(id))
    const expected = [...new Set(ids)].filter((id) => id !== null).map((id) => [id, { kind: kindOf(id), name: known.get(id) }])
    assert.deepEqual(names, Object.fromEntries(expected))
  }
  const idsOf = ({ queueVisits, agentLegs, flows, participants, wrapupCode }: ConversationView): (string | null)[] => [
    ...queueVisits.flatMap(({ queueId, answeredUserId }) => [queueId, answeredUserId]),
    ...agentLegs.flatMap((leg) => [leg.userId, leg.queueId, leg.wrapupCode]),
    ...flows.map(({ flowId }) => flowId),
    ...participants.map(({ userId }) => userId),
    wrapupCode,
  ]
  const { conversations } = await all<{ conversations: ConversationView[] }>('/v1/conversations?limit=1000')
  assert.ok(conversations.some((one) => one.wrapupCode !== null && Object.keys(one.names).length >= 4))
  for (const one of conversations) assertNamed(one, idsOf(one))
  const first = conversations[0]!
  assert.deepEqual((await all<{ conversation: ConversationView }>(`/v1/conversations/${first.id}`)).conversation.names, first.names)

  const { agents } = await all<{ agents: AgentView[] }>('/v1/agents')
  assert.ok(agents.length > 10 && agents.some(({ queueIds }) => queueIds.length > 0))
  for (const agent of agents) {
    assertNamed(agent, [agent.userId, agent.divisionId, ...agent.queueIds])
    assert.equal(agent.divisionId, centre.users.find(({ id }) => id === agent.userId)?.divisionId)
    assert.equal(agent.name, known.get(agent.userId))
  }

  const { queues } = await all<{ queues: QueueView[] }>(`/v1/queues?from=0&to=${Date.now()}`)
  assert.deepEqual(queues.map(({ queueId }) => queueId).toSorted(), centre.queues.map(({ id }) => id).toSorted())
  for (const queue of queues) {
    assertNamed(queue, [queue.queueId, queue.divisionId])
    const fixture = centre.queues.find(({ id }) => id === queue.queueId)!
    assert.deepEqual([queue.name, queue.divisionId], [fixture.name, fixture.divisionId])
    const { percentage, durationMs } = fixture.serviceTarget
    assert.deepEqual(queue.goals, {
      targets:
        queue.queueId === overridden.id
          ? [{ mediaType: null, targetMs: 1, share: null, from: 'queue' }]
          : [
              { mediaType: 'VOICE', targetMs: durationMs, share: percentage, from: 'directory' },
              { mediaType: null, targetMs: 20_000, share: null, from: 'default' },
            ],
      shortAbandonMs: 3_000,
      shortAbandonFrom: 'config',
    })
    if (queue.queueId === overridden.id) {
      assert.ok(queue.interval.answered > 0)
      assert.deepEqual([queue.interval.answeredInTime, queue.interval.serviceLevel], [0, 0])
      continue
    }
    // By the written formula, from the truth of the model.
    let [answered, inTime, abandoned, short] = [0, 0, 0, 0]
    for (const { mediaType, queueVisits } of day.truth.conversations)
      for (const { queueId, enteredAtMs, leftAtMs, outcome } of queueVisits) {
        if (queueId !== queue.queueId || leftAtMs === null) continue
        const targetMs = mediaType === 'VOICE' ? durationMs : 20_000
        if (outcome === 'ANSWERED') answered++
        if (outcome === 'ANSWERED' && leftAtMs - enteredAtMs <= targetMs) inTime++
        if (outcome === 'ABANDON') abandoned++
        if (outcome === 'ABANDON' && leftAtMs - enteredAtMs < 3_000) short++
      }
    const due = answered + abandoned - short
    assert.equal(queue.interval.serviceLevel, due === 0 ? null : inTime / due, fixture.name)
  }
})

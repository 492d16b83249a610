/**
 * People: presence, routing status, the events that tell of them. Legal moves only: routing is OFF_QUEUE exactly while the
 * presence is not ON_QUEUE, and who is busy changes presence when the last leg is settled. No two changes of one person
 * have the same instant.
 */
import type { UserNow } from '../simulation.ts'
import type { Presence } from './centre.ts'
import { isoOf } from './iso.ts'
import type { Agent, Media, RoutingStatus } from './records.ts'
import { ACTIVITY, CONVERSATION_SUMMARY, PRESENCE, QUEUE_USERS, ROUTING_STATUS } from './topics.ts'
import { after, type World } from './world.ts'

const SETTLE_MS = 160
const LAG_MS = 100
const LAG_SPREAD_MS = 140

export function setPresence(world: World, agent: Agent, presence: Presence): void {
  if (agent.presence === presence) return
  const wasOnQueue = agent.presence === 'ON_QUEUE'
  remember(agent)
  agent.presence = presence
  agent.presenceSinceMs = Math.max(world.nowMs, agent.presenceSinceMs + 1, agent.routingSinceMs + 1)
  const { presences } = world.fixtures
  world.outlet.publish(
    PRESENCE,
    agent.user.id,
    agent.presenceSinceMs,
    `{"source":"PURECLOUD","presenceDefinition":{"id":"${presences[presence]}","systemPresence":"${presence}"},"primary":true` +
      `,"message":"","modifiedDate":"${isoOf(agent.presenceSinceMs)}"}`,
    agent.chance,
  )
  activityLater(world, agent)
  if ((presence === 'ON_QUEUE') === wasOnQueue) return
  setRouting(world, agent, wasOnQueue ? 'OFF_QUEUE' : 'IDLE')
}

export function setRouting(world: World, agent: Agent, status: RoutingStatus): void {
  if (agent.routing === status) return
  remember(agent)
  agent.routing = status
  agent.routingSinceMs = Math.max(world.nowMs, agent.routingSinceMs + 1, agent.presenceSinceMs)
  world.outlet.publish(
    ROUTING_STATUS,
    agent.user.id,
    agent.routingSinceMs,
    `{"id":"${agent.user.id}","routingStatus":{"status":"${status}","startTime":"${isoOf(agent.routingSinceMs)}"}}`,
    agent.chance,
  )
  activityLater(world, agent)
}

/** What somebody was at an instant. */
export function userAt({ fixtures }: World, agent: Agent, atMs: number): UserNow {
  const all = [agent, ...agent.before]
  const oldest = all.at(-1) ?? agent
  const { presence, presenceSinceMs } = all.find((one) => one.presenceSinceMs <= atMs) ?? oldest
  const { routing, routingSinceMs } = all.find((one) => one.routingSinceMs <= atMs) ?? oldest
  return {
    presence,
    presenceDefinitionId: fixtures.presences[presence],
    presenceSinceMs,
    routingStatus: routing,
    routingStatusSinceMs: routingSinceMs,
  }
}

/** Joins or leaves the queues, at the beginning and the end of a shift. */
export function tellQueues(world: World, agent: Agent, joined: boolean): void {
  agent.queuesSinceMs = world.nowMs
  for (const queue of agent.queues) {
    const { id } = queue.fixture
    const text = `{"id":"${agent.user.id}","user":{"id":"${agent.user.id}"},"queueId":"${id}","joined":${joined}}`
    world.outlet.publish(QUEUE_USERS, id, world.nowMs, text, agent.chance)
  }
}

/** How many conversations of each medium somebody has; changes close together are told once. */
export function summaryLater(world: World, agent: Agent): void {
  if (agent.summaryDue || !world.outlet.wants(CONVERSATION_SUMMARY)) return
  agent.summaryDue = true
  after(world, SETTLE_MS, () => {
    agent.summaryDue = false
    const of = (media: Media): string => {
      const legs = [...agent.legs].filter((leg) => leg.session.line.media === media)
      const sum = (inQueue: boolean): string => {
        const own = legs.filter((leg) => (leg.queue !== null) === inQueue)
        const acw = own.filter((leg) => leg.phase === 'wrapup').length
        return `{"active":${own.length - acw},"acw":${acw}}`
      }
      return `{"contactCenter":${sum(true)},"enterprise":${sum(false)}}`
    }
    const text =
      `{"userId":"${agent.user.id}","call":${of('VOICE')},"callback":${of('CALLBACK')},"email":${of('EMAIL')}` +
      `,"message":${of('MESSAGE')},"chat":${of('CHAT')},"socialExpression":${NOTHING},"video":${NOTHING}}`
    world.outlet.publishAt(CONVERSATION_SUMMARY, agent.user.id, publishedAt(world, agent), text)
  })
}

function remember(agent: Agent): void {
  const { presence, presenceSinceMs, routing, routingSinceMs } = agent
  agent.before = [{ presence, presenceSinceMs, routing, routingSinceMs }, ...agent.before].slice(0, REMEMBERED)
}

function activityLater(world: World, agent: Agent): void {
  if (agent.activityDue || !world.outlet.wants(ACTIVITY)) return
  agent.activityDue = true
  after(world, SETTLE_MS, () => {
    agent.activityDue = false
    const { presence, routing, user } = agent
    const definition = `{"id":"${world.fixtures.presences[presence]}","systemPresence":"${presence}"}`
    const queueIds = agent.presence === 'OFFLINE' ? '' : agent.queues.map((queue) => `"${queue.fixture.id}"`).join(',')
    const text =
      `{"id":"${user.id}","routingStatus":{"status":"${routing}","startTime":"${isoOf(agent.routingSinceMs)}"}` +
      `,"presence":{"presenceDefinition":${definition},"presenceMessage":"","modifiedDate":"${isoOf(agent.presenceSinceMs)}"}` +
      `,"outOfOffice":{"active":false,"modifiedDate":"2025-11-03T08:00:00.000Z"}` +
      `,"activeQueueIds":[${queueIds}],"dateActiveQueuesChanged":"${isoOf(agent.queuesSinceMs)}"}`
    world.outlet.publishAt(ACTIVITY, user.id, publishedAt(world, agent), text)
  })
}

function publishedAt(world: World, agent: Agent): number {
  return world.nowMs + LAG_MS + agent.chance.below(LAG_SPREAD_MS)
}

/** More changes than lie between the model and what it has published. */
const REMEMBERED = 4
const NOTHING = '{"contactCenter":{"active":0,"acw":0},"enterprise":{"active":0,"acw":0}}'

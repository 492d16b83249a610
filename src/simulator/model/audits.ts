/** `v2.audits.*` now and then: somebody changes how a queue is set up. Times there are ISO text in whole seconds. */
import { isoSecondsOf } from './iso.ts'
import { AUDITS } from './topics.ts'
import { after, type World } from './world.ts'

const MEAN_GAP_MS = 20 * 60_000

export function auditNowAndThen(world: World): void {
  const chance = world.seed.branch('audits').stream()
  const wait = (): void =>
    after(world, 10_000 + chance.exponential(MEAN_GAP_MS), () => {
      const { organization } = world.fixtures
      const queue = chance.pick(world.queues).fixture
      const { user } = chance.pick(world.agents)
      const before = chance.between(10, 30)
      const text =
        `{"id":"${chance.uuid()}","userId":"${user.id}","userHomeOrgId":"${organization.id}","username":{"id":"${user.id}","name":${JSON.stringify(user.name)}}` +
        `,"remoteIp":["192.0.2.${chance.between(1, 254)}"],"serviceName":"ContactCenter","level":"USER"` +
        `,"eventTime":"${isoSecondsOf(world.nowMs).slice(0, -1)}.000Z","action":"Update","entityType":"Queue"` +
        `,"entity":{"id":"${queue.id}","name":${JSON.stringify(queue.name)}}` +
        `,"propertyChanges":[{"property":"alertingTimeoutSeconds","oldValues":["${before}"],"newValues":["${before + 5}"]}]}`
      world.outlet.publish(AUDITS, `Queue.entityid.${queue.id}`, world.nowMs, text, chance)
      wait()
    })
  wait()
}

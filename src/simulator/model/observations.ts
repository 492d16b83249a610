/** `v2.analytics.queues.{id}.observations`: what a queue looks like now, at most once a second and medium, when it changed. */
import { isoOf } from './iso.ts'
import { MEDIA, type Media, type WorkQueue } from './records.ts'
import { OBSERVATIONS } from './topics.ts'
import { after, type World } from './world.ts'

const EVERY_MS = 1_000
const LAG_MS = 300
const HALF_HOUR_MS = 1_800_000

/** Moves a queue's figures of a medium, which is told before long. */
export function moveLive(world: World, queue: WorkQueue, media: Media, waiting: number, interacting: number): void {
  const live = queue.live[media]
  live.waiting += waiting
  live.interacting += interacting
  live.changed = true
  queue.interacting += interacting
  observeLater(world, queue)
}

function observeLater(world: World, queue: WorkQueue): void {
  if (queue.observationDue || !world.outlet.wants(OBSERVATIONS)) return
  queue.observationDue = true
  after(world, EVERY_MS, () => {
    queue.observationDue = false
    observe(world, queue)
  })
}

function observe(world: World, queue: WorkQueue): void {
  const { id } = queue.fixture
  const startMs = world.nowMs - (world.nowMs % HALF_HOUR_MS)
  const interval = `${isoOf(startMs)}/${isoOf(startMs + HALF_HOUR_MS)}`
  let onQueue = 0
  for (const agent of queue.members) if (agent.presence === 'ON_QUEUE') onQueue++
  for (const media of MEDIA) {
    const live = queue.live[media]
    if (!live.changed) continue
    live.changed = false
    const text =
      `{"group":{"queueId":"${id}","mediaType":"${media.toLowerCase()}"},"data":[{"interval":"${interval}","metrics":[` +
      `{"metric":"oWaiting","stats":{"count":${live.waiting}}},{"metric":"oInteracting","stats":{"count":${live.interacting}}},` +
      `{"metric":"oOnQueueUsers","stats":{"count":${onQueue}}}]}]}`
    world.outlet.publishAt(OBSERVATIONS, id, world.nowMs + LAG_MS, text)
  }
}

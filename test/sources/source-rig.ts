/** A notification source with everything it is handed, against the fake Genesys, on virtual time. */
import type { TestContext } from 'node:test'
import { turns, virtualClock } from '../../src/testing/virtual-clock.ts'
import type { VirtualClock } from '../../src/testing/virtual-clock.ts'
import type { Gap, Source } from '../../src/sources/source.ts'
import { FakeGenesys } from './fake-genesys.ts'
import type { LiveEvent } from '../../src/sources/notifications/match-live.ts'
import type { SourceState } from '../../src/sources/notifications/memory.ts'
import { notificationSource } from '../../src/sources/notifications/notifications.ts'
import type { NotificationOptions } from '../../src/sources/notifications/notifications.ts'

export type Rig = {
  readonly clock: VirtualClock
  readonly genesys: FakeGenesys
  readonly source: Source
  /** What the log has taken, as texts. */
  readonly taken: string[]
  readonly gaps: Gap[]
  readonly warnings: string[]
  /** What the log says of it, warnings and good news. */
  readonly said: string[]
  state: SourceState | null
  /** What the log says: null takes everything. */
  refusal: Error | null
  live: (conversationId: string) => readonly LiveEvent[]
  /** Lets time pass in small steps, so that sockets keep up with it. */
  play(ms: number, stepMs?: number): Promise<void>
  playUntil(what: string, done: () => boolean, maxMs?: number): Promise<void>
}

export type RigOptions = {
  readonly settings: NotificationOptions['settings']
  readonly genesys?: FakeGenesys
  readonly clock?: VirtualClock
  readonly state?: SourceState | null
  readonly prepare?: (genesys: FakeGenesys) => void
}

export async function rig(t: TestContext, o: RigOptions): Promise<Rig> {
  const clock = o.clock ?? virtualClock()
  const genesys = o.genesys ?? (await FakeGenesys.start(clock))
  if (o.genesys === undefined) t.after(async () => genesys.stop())
  o.prepare?.(genesys)
  const self: Rig = {
    clock,
    genesys,
    taken: [],
    gaps: [],
    warnings: [],
    said: [],
    state: o.state ?? null,
    refusal: null,
    live: () => [],
    source: notificationSource({
      settings: o.settings,
      platform: genesys,
      clock,
      random: () => 0.5,
      output: {
        accept: async (records) => {
          await turns(1)
          if (self.refusal !== null) throw self.refusal
          for (const { bytes } of records) self.taken.push(Buffer.from(bytes).toString())
        },
        gap: (gap) => self.gaps.push(gap),
        warn: (code, message) => {
          self.warnings.push(code)
          self.said.push(message)
        },
        info: (message) => self.said.push(message),
      },
      memory: {
        recall: async () => Promise.resolve(structuredClone(self.state ?? undefined)),
        remember: async (state) => {
          await turns(1)
          self.state = structuredClone(state)
        },
        lastRecordMs: async () => Promise.resolve(null),
      },
      liveEventsOf: async (id) => Promise.resolve(self.live(id)),
    }),
    async play(ms, stepMs = 1_000) {
      for (let played = 0; played < ms; played += stepMs) {
        await clock.advance(Math.min(stepMs, ms - played))
        await turns(12)
      }
    },
    async playUntil(what, done, maxMs = 600_000) {
      for (let played = 0; played < maxMs; played += 500) {
        if (done()) return
        await self.play(500, 500)
      }
      if (!done()) throw new Error(`${what}: not within ${maxMs} ms`)
    },
  }
  t.after(async () => {
    let stopped = false
    const stopping = self.source.stop().then(() => (stopped = true))
    for (let i = 0; i < 100 && !stopped; i++) await self.play(1_000)
    await stopping
  })
  return self
}

/** The events among `texts`, without their metadata: what one-to-one matching compares. */
export function bare(texts: readonly string[]): string[] {
  return texts.map((text) => JSON.stringify({ ...(JSON.parse(text) as object), metadata: null })).sort()
}

/**
 * The simulated contact centre: a discrete-event model with a seed. What people and callers do are actions in the time of
 * the model; what Genesys would publish of it goes through the outlet. Everything that has happened at the instant of an
 * emission has been done before the emission is handed out, so answers and truth are never behind it.
 */
import type { ConversationDetail } from '../../genesys/platform.ts'
import type { Centre, Emission, Simulation, Truth, UserNow } from '../simulation.ts'
import { userAt } from './agents.ts'
import { letCome } from './arrivals.ts'
import { putAttributes } from './attributes.ts'
import { auditNowAndThen } from './audits.ts'
import { detailOf } from './details.ts'
import { makeNoise } from './noise.ts'
import { withDefaults, type SimulationOptions } from './options.ts'
import { planShifts } from './shifts.ts'
import { truthOf } from './truth.ts'
import { newWorld, type World } from './world.ts'

/** In a centre that publishes nothing for so long nothing will ever be: `next` must not look for it for ever. */
const SILENT_FOR_EVER_MS = 8 * 24 * 3_600_000

/** Opens the centre. Nothing runs but what is asked for with `next`. */
export function simulation(options: Partial<SimulationOptions> = {}): Simulation {
  return new ContactCentre(withDefaults(options))
}

class ContactCentre implements Simulation {
  readonly #world: World
  readonly #endAtMs: number
  #nowMs: number

  constructor(options: SimulationOptions) {
    this.#world = newWorld(options)
    this.#nowMs = options.startAtMs
    this.#endAtMs = options.durationMs === null ? Infinity : options.startAtMs + options.durationMs
    planShifts(this.#world)
    letCome(this.#world)
    makeNoise(this.#world)
    auditNowAndThen(this.#world)
  }

  get centre(): Centre {
    return this.#world.fixtures
  }

  get nowMs(): number {
    return this.#nowMs
  }

  next(): Emission | null {
    this.#run()
    const emission = this.#world.outlet.take()
    if (emission !== null) this.#nowMs = emission.publishedAtMs
    return emission
  }

  peekAtMs(): number | null {
    this.#run()
    const atMs = this.#world.outlet.nextAtMs
    return atMs === Infinity ? null : atMs
  }

  conversation(id: string): ConversationDetail | null {
    const conversation = this.#world.conversations.get(id)
    return conversation === undefined ? null : detailOf(conversation, this.#nowMs)
  }

  conversationsBetween(fromMs: number, toMs: number): readonly ConversationDetail[] {
    const found: ConversationDetail[] = []
    for (const conversation of this.#world.conversations.values()) {
      if (conversation.startMs > toMs || (conversation.endMs ?? Infinity) < fromMs) continue
      const detail = detailOf(conversation, this.#nowMs)
      if (detail !== null) found.push(detail)
    }
    return found
  }

  user(id: string): UserNow | null {
    const agent = this.#world.agents.find(({ user }) => user.id === id)
    return agent === undefined ? null : userAt(this.#world, agent, this.#nowMs)
  }

  setAttributes(conversationId: string, participantId: string, attributes: Readonly<Record<string, string>>): boolean {
    const world = this.#world
    const conversation = world.conversations.get(conversationId)
    const participant = conversation?.participants.find((candidate) => candidate.id === participantId)
    if (conversation === undefined || participant === undefined) return false
    world.nowMs = Math.max(world.nowMs, this.#nowMs)
    putAttributes(world, conversation, participant, attributes)
    return true
  }

  truth(): Truth {
    return truthOf(this.#world)
  }

  /** Does everything up to the next emission. */
  #run(): void {
    const { actions, outlet } = this.#world
    const giveUpAtMs = this.#nowMs + SILENT_FOR_EVER_MS
    for (let atMs = actions.nextAtMs; atMs < Infinity && atMs <= outlet.nextAtMs && atMs <= this.#endAtMs; atMs = actions.nextAtMs) {
      if (atMs > giveUpAtMs) return
      this.#world.nowMs = atMs
      actions.take()?.()
    }
  }
}

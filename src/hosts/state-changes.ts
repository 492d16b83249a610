/**
 * `GET /v1/state/changes`: what changes, as server-sent events. The changes of the state are taken about once a second while anybody
 * listens, and told to all who do. Listeners are bounded in number; one that does not read is let go, and can begin anew.
 */
import { TrunklineError } from '../errors.ts'
import type { Clock } from '../pipeline/clock.ts'
import type { Interval } from '../state/queue-state.ts'
import type { State } from '../state/state.ts'
import type { StateViews } from './state-views.ts'

export type StateChangesOptions = {
  readonly state: () => State
  readonly views: StateViews
  readonly clock: Clock
  readonly intervalOf: (nowMs: number) => Interval
  readonly signal: AbortSignal
}

const EVERY_MS = 1_000
/** Where there is more to tell than one round tells. */
const MORE_MS = 50
const CHANGES_A_ROUND = 500
const HEARTBEAT_MS = 15_000
const MAX_LISTENERS = 64
/** So much may wait for a listener to read it. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024

type Listener = ReadableStreamDefaultController<Uint8Array>

export class StateChanges {
  readonly #o: StateChangesOptions
  readonly #listeners = new Set<Listener>()
  #telling = false
  /** Let go because they did not read, since the start. */
  dropped = 0

  constructor(options: StateChangesOptions) {
    this.#o = options
    options.signal.addEventListener('abort', () => this.#end(), { once: true })
  }

  get listeners(): number {
    return this.#listeners.size
  }

  /** A stream of `conversation`, `agent` and `queue` events; it ends with the service. */
  listen(): ReadableStream<Uint8Array> {
    if (this.#o.signal.aborted) throw new TrunklineError('service.stopping', 'the service is stopping', 'Ask again when it runs.')
    if (this.#listeners.size >= MAX_LISTENERS)
      throw new TrunklineError('state.too_many_listeners', `${MAX_LISTENERS} listen to changes already`, 'Let some of them go.')
    let own: Listener
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          own = controller
          this.#listeners.add(own)
          own.enqueue(encode(`: changes of the state\n\n`))
          if (!this.#telling) void this.#tell().catch((error: unknown) => this.#fail(error))
        },
        cancel: () => void this.#listeners.delete(own),
      },
      { highWaterMark: MAX_WAITING_BYTES, size: (chunk) => chunk.byteLength },
    )
  }

  async #tell(): Promise<void> {
    const { clock, signal, state, views, intervalOf } = this.#o
    this.#telling = true
    let saidAtMs = clock.nowMs()
    while (!signal.aborted && this.#listeners.size > 0) {
      const nowMs = clock.nowMs()
      const { conversations, agents, queues, more } = state().changes(nowMs, intervalOf(nowMs), CHANGES_A_ROUND)
      const text = [
        ...told('conversation', conversations.map(views.conversation)),
        ...told('agent', agents.map(views.agent)),
        ...told('queue', queues.map(views.queue)),
      ].join('')
      if (text !== '') this.#say(text)
      else if (nowMs - saidAtMs >= HEARTBEAT_MS) this.#say(': still here\n\n')
      if (text !== '' || nowMs - saidAtMs >= HEARTBEAT_MS) saidAtMs = nowMs
      await clock.wait(more ? MORE_MS : EVERY_MS, signal)
    }
    this.#telling = false
  }

  #say(text: string): void {
    const bytes = encode(text)
    for (const listener of this.#listeners) {
      if ((listener.desiredSize ?? 0) > 0) listener.enqueue(bytes)
      else {
        this.dropped++
        this.#listeners.delete(listener)
        listener.error(new Error('not read'))
      }
    }
  }

  /** Who listens begins anew. */
  #fail(error: unknown): void {
    this.#telling = false
    for (const listener of this.#listeners) listener.error(error)
    this.#listeners.clear()
  }

  #end(): void {
    for (const listener of this.#listeners) listener.close()
    this.#listeners.clear()
  }
}

function told(event: string, things: readonly object[]): string[] {
  return things.map((thing) => `event: ${event}\ndata: ${JSON.stringify(thing)}\n\n`)
}

const encoder = new TextEncoder()
const encode = (text: string): Uint8Array => encoder.encode(text)

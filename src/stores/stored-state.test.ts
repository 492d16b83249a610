/** State and its store together: killed at any point and told again what came since it was stored, the state is the one that was never killed; and so is one made anew from the base. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { createState } from '../state/folded-state.ts'
import type { State, StateOptions } from '../state/state.ts'
import { tempDir } from '../testing/route-harness.ts'
import { START_MS, told } from '../testing/state-events.ts'
import { Shelf } from '../testing/state-shelf.ts'
import { StateRows } from './state-rows.ts'

const HORIZON_MS = 20_000
const IDS = Array.from({ length: 12 }, (_, n) => `c${n}`)

type Tell = { readonly tell: string; readonly id: string; readonly session: string; readonly lagMs: number }
type Step = Tell | { readonly goOnMs: number } | 'store' | 'kill' | 'rebase' | 'rebuild'

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 14,
    arbitrary: fc.record({
      tell: fc.constantFrom(
        'customer.start',
        'customer.end',
        'customer.end',
        'acd.start',
        'acd.end',
        'user.start',
        'user.end',
        'attributes',
      ),
      id: fc.constantFrom(...IDS),
      session: fc.constantFrom('s1', 's2'),
      lagMs: fc.constantFrom(0, 0, 0, 1_000, 5_000, 25_000),
    }),
  },
  { weight: 5, arbitrary: fc.constantFrom(0, 1_000, 7_000, 21_000, 45_000).map((goOnMs) => ({ goOnMs })) },
  { weight: 7, arbitrary: fc.constant<Step>('store') },
  { weight: 2, arbitrary: fc.constant<Step>('kill') },
  { weight: 1, arbitrary: fc.constant<Step>('rebase') },
  { weight: 1, arbitrary: fc.constant<Step>('rebuild') },
)

test('killed and restored, or made anew from the base: the state that was never killed', (t) => {
  const counts = { kills: 0, rebuilds: 0, pending: 0, frozen: 0, thawed: 0 }
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 100 }), fc.boolean(), (steps, crowded) => {
      const scene = new Scene(crowded)
      for (const one of [...steps, 'store', 'kill', 'rebuild'] as const) scene.take(one, counts)
      scene.rows.close()
    }),
    { numRuns: 60 },
  )
  t.diagnostic(JSON.stringify(counts))
  assert.ok(
    Object.values(counts).every((count) => count > 20),
    JSON.stringify(counts),
  )
})

class Scene {
  readonly #path = join(tempDir(), 'state.db')
  readonly #crowded: boolean
  readonly #told: { readonly one: Tell; readonly atMs: number }[] = []
  readonly #shelf = new Shelf()
  /** Never killed, and writes whole rows. */
  readonly #whole: State
  rows: StateRows
  #state: State
  #atMs = 0

  constructor(crowded: boolean) {
    this.#crowded = crowded
    this.rows = this.#opened()
    this.#whole = this.#created({ recall: this.#shelf.recall })
    this.#state = this.#created({})
    this.#store(this.#state)
    this.rows.rebase()
  }

  take(one: Step, counts: { kills: number; rebuilds: number; pending: number; frozen: number; thawed: number }): void {
    if (typeof one === 'object' && 'goOnMs' in one) {
      this.#atMs += one.goOnMs
      return
    }
    if (one === 'store') {
      this.#whole.tidy()
      this.#shelf.store(this.#whole, true)
      this.#store(this.#state)
      counts.frozen += [...this.#shelf.rows.values()].filter(({ frozen }) => frozen).length
    } else if (one === 'rebase') this.rows.rebase()
    else if (one === 'kill') {
      this.rows.close()
      this.rows = this.#opened()
      this.#state = this.#restored()
      counts.kills++
      counts.pending += [...this.rows.facts()].length
    } else if (one === 'rebuild') {
      counts.rebuilds++
      this.rows.forgetMade()
      this.#assertSame(this.#rebuilt(), 'made anew')
    } else {
      const told = { one, atMs: this.#atMs++ }
      this.#told.push(told)
      if (this.#shelf.rows.get(`conversation ${one.id}`)?.frozen === true && one.lagMs < HORIZON_MS) counts.thawed++
      for (const state of [this.#whole, this.#state]) tell(state, told)
      // What is unwritten cannot go.
      if (this.#crowded) this.take('store', counts)
    }
    this.#assertSame(this.#state, JSON.stringify(one))
  }

  #store(state: State): void {
    state.tidy()
    const batch = state.unstored()
    const { newestAtMs, completeSinceMs } = state
    this.rows.write(batch, { position: this.#told.length, newestAtMs, completeSinceMs })
    state.stored(batch)
  }

  #restored(): State {
    const state = this.#created({})
    const meta = this.rows.meta!
    state.resume(meta)
    for (const chunk of this.rows.unfrozen()) assert.ok(state.restore(chunk))
    for (const facts of this.rows.facts()) assert.ok(state.restoreFacts(facts))
    for (const told of this.#told.slice(meta.position)) tell(state, told)
    return state
  }

  #rebuilt(): State {
    const base = this.rows.base!
    const state = this.#created({ recall: (kind, id) => this.rows.madeChunk(kind, id) })
    state.resume(base)
    for (const { kind, id } of this.rows.baseIds()) assert.ok(state.restore(this.rows.madeChunk(kind, id)!))
    for (const facts of this.rows.baseFacts()) assert.ok(state.restoreFacts(facts))
    for (const told of this.#told.slice(base.position)) {
      tell(state, told)
      const batch = state.unstored(true)
      this.rows.make(batch.rows)
      state.stored(batch)
    }
    return state
  }

  #created(more: Partial<StateOptions>): State {
    const entities = this.#crowded ? 8 : 1_000
    const recall: StateOptions['recall'] = (kind, id) => this.rows.chunk(kind, id)
    return createState({ stored: true, horizonMs: HORIZON_MS, packAfterMs: 3_000, rowsAfterBatches: 3, entities, recall, ...more })
  }

  #opened(): StateRows {
    return new StateRows({ path: this.#path, warn: (code) => assert.fail(code) })
  }

  #assertSame(state: State, what: string): void {
    const atMs = START_MS + this.#atMs
    for (const one of [state, this.#whole]) one.tidy()
    for (const id of IDS) assert.deepEqual(state.conversation(id, atMs), this.#whole.conversation(id, atMs), `${what}: ${id}`)
    assert.equal(state.newestAtMs, this.#whole.newestAtMs)
    if (this.#crowded) return
    const interval = { fromMs: Math.max(state.completeSinceMs, this.#whole.completeSinceMs), toMs: Infinity }
    assert.deepEqual(state.queues(atMs, interval), this.#whole.queues(atMs, interval), what)
  }
}

function tell(state: State, { one, atMs }: { readonly one: Tell; readonly atMs: number }): void {
  const body = { sessionId: one.session, mediaType: 'VOICE', queueId: 'q1', userId: 'u1', attributes: { at: atMs } }
  state.apply(told(one.tell, atMs - one.lagMs, body, one.id), Infinity)
}

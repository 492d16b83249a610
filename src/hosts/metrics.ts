/** Prometheus metrics, collected from what is already counted: nothing is added to the hot path. */
import { Counter, Gauge, Registry, collectDefaultMetrics } from 'prom-client'
import type { Log } from '../log/log.ts'
import type { Ledger } from '../routes/ledger.ts'
import type { Route } from '../routes/route.ts'
import type { Source } from '../sources/source.ts'
import type { State } from '../state/state.ts'
import type { FinishedConversations } from './finished-conversations.ts'
import type { GapBook } from './gap-book.ts'
import type { Intake } from './intake.ts'
import type { LogFollower } from './log-follower.ts'
import type { Reconciler } from './reconcile.ts'
import type { StateChanges } from './state-changes.ts'
import type { Validation } from './validation.ts'

export function metrics(facts: {
  readonly log: Log
  readonly ledger: Ledger
  readonly routes: ReadonlyMap<string, Route>
  readonly intake: Intake
  readonly maxBytes: number
  readonly validation: Validation
  readonly follower: LogFollower
  readonly gaps: GapBook
  readonly sources: readonly Source[]
  readonly nowMs: () => number
  /** Null where no state is kept. */
  readonly state: { readonly state: () => State; readonly changes: StateChanges; readonly finished: FinishedConversations | null } | null
  readonly reconciler: Reconciler
}): () => Promise<string> {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const { log, routes, intake } = facts
  const gauge = (name: string, help: string, labels: string[], collect: (g: Gauge) => void): void => {
    new Gauge({
      name,
      help,
      labelNames: labels,
      registers: [registry],
      collect() {
        this.reset()
        collect(this)
      },
    })
  }
  const counter = (name: string, help: string, labels: string[], collect: (c: Counter) => void): void => {
    new Counter({
      name,
      help,
      labelNames: labels,
      registers: [registry],
      collect() {
        this.reset()
        collect(this)
      },
    })
  }
  counter('trunkline_intake_requests_total', 'Requests to POST /v1/events since start.', [], (c) => c.inc(intake.requests))
  counter('trunkline_intake_refused_total', 'Requests answered 503 since start.', [], (c) => c.inc(intake.refused))
  counter('trunkline_intake_accepted_total', 'Records accepted since start.', [], (c) => c.inc(log.counters.accepted))
  counter('trunkline_intake_duplicates_total', 'Accepted records that repeat an earlier one, since start.', [], (c) =>
    c.inc(log.counters.duplicates),
  )
  counter('trunkline_intake_ids_reused_total', 'Accepted records whose envelope id came before with other content, since start.', [], (c) =>
    c.inc(log.counters.idsReused),
  )
  counter('trunkline_intake_quarantined_total', 'Records put into quarantine since start.', [], (c) => c.inc(log.counters.quarantined))
  counter('trunkline_quarantine_dropped_total', 'Quarantined records that left because the quarantine is full, since start.', [], (c) =>
    c.inc(log.counters.quarantineDropped),
  )
  counter('trunkline_log_groups_total', 'Groups of records synced together since start.', [], (c) => c.inc(log.counters.groups))
  gauge('trunkline_log_bytes', 'Size of the log.', [], (g) => g.set(log.totalBytes))
  gauge('trunkline_log_max_bytes', 'Size the log may reach.', [], (g) => g.set(facts.maxBytes))
  gauge('trunkline_log_damaged_records', 'Records found damaged at the last start.', [], (g) => g.set(log.recovery.damagedRecords))
  counter(
    'trunkline_route_events_total',
    'Events of a route by outcome, for ever; reason and key where an event was dropped.',
    ['route', 'outcome', 'reason', 'key'],
    (c) => {
      for (const [route, r] of routes)
        for (const [name, count] of Object.entries(r.status().counts)) {
          const [outcome = '', reason = '', ...rest] = name.split('|')
          c.inc({ route, outcome, reason, key: rest.join('|') }, count)
        }
    },
  )
  gauge('trunkline_route_lag_events', 'Records of the log a route has not settled.', ['route'], (g) => {
    for (const [route, r] of routes) g.set({ route }, r.status().lag)
  })
  gauge('trunkline_route_retrying_events', 'Events of a route waiting for another attempt.', ['route'], (g) => {
    for (const [route, r] of routes) g.set({ route }, r.status().retrying)
  })
  gauge('trunkline_route_held_events', 'Events of a route that wait for others (order) or for their time (limit).', ['route'], (g) => {
    for (const [route, r] of routes) g.set({ route }, r.status().held)
  })
  gauge('trunkline_dead_letters', 'Dead letters of a route that nobody has redriven.', ['route'], (g) => {
    const dead = facts.ledger.deadLetters()
    for (const route of routes.keys()) g.set({ route }, dead.get(route) ?? 0)
  })
  gauge('trunkline_route_breaker_open', '1 while a route makes no attempts because its sink fails every time.', ['route'], (g) => {
    for (const [route, r] of routes) g.set({ route }, r.status().breaker === 'closed' ? 0 : 1)
  })
  gauge('trunkline_route_last_delivery_seconds', 'Time of the last delivery since start, Unix seconds.', ['route'], (g) => {
    for (const [route, r] of routes) if (r.lastDeliveredAtMs !== null) g.set({ route }, r.lastDeliveredAtMs / 1000)
  })
  counter(
    'trunkline_drift_events_total',
    'What was found in events and is not in their schemas, by topic and class.',
    ['topic', 'class'],
    (c) => {
      for (const { topic, class: drift, count } of facts.validation.report().drift) c.inc({ topic, class: drift }, count)
    },
  )
  gauge('trunkline_drift_lag_events', 'Records of the log that the drift report has not seen yet.', [], (g) =>
    g.set(facts.follower.lagEvents),
  )
  if (facts.state !== null) {
    const { state, changes, finished } = facts.state
    gauge('trunkline_state_lag_events', 'Records of the log that are not part of the state yet.', [], (g) =>
      g.set(facts.follower.lagEvents),
    )
    gauge('trunkline_state_entities', 'Conversations and agents in memory.', ['kind'], (g) => {
      const { conversations, agents } = state().stats
      g.set({ kind: 'conversation' }, conversations)
      g.set({ kind: 'agent' }, agents)
    })
    counter('trunkline_state_facts_total', 'Facts of events since start, by what became of them.', ['result'], (c) => {
      const { applied, repeated, tooLate, ahead } = state().stats
      for (const [result, count] of Object.entries({ applied, repeated, too_late: tooLate, ahead })) c.inc({ result }, count)
    })
    counter('trunkline_state_left_memory_total', 'Entities that left the memory since start, by why.', ['why'], (c) => {
      const { frozen, evicted, lost } = state().stats
      for (const [why, count] of Object.entries({ frozen, evicted, lost })) c.inc({ why }, count)
    })
    gauge('trunkline_state_gave_up', 'Conversations in memory with more facts than are kept.', [], (g) => g.set(state().stats.gaveUp))
    gauge('trunkline_state_unwritten', 'Entities that have changed since they were stored.', [], (g) => g.set(state().stats.unwritten))
    gauge('trunkline_state_listeners', 'Who listens to changes.', [], (g) => g.set(changes.listeners))
    if (finished !== null) {
      counter('trunkline_changes_told_total', 'Finished conversations put into the log since start.', [], (c) => c.inc(finished.told))
      gauge('trunkline_changes_waiting', 'Conversations heard of lately, or closed with agents at work: not told yet.', [], (g) =>
        g.set(finished.waiting),
      )
    }
  }
  const { reconciler } = facts
  counter(
    'trunkline_reconcile_runs_total',
    'Runs of reconciling since start, by whether everybody could be asked for.',
    ['result'],
    (c) => {
      for (const [result, count] of Object.entries(reconciler.totals.runs)) c.inc({ result }, count)
    },
  )
  counter('trunkline_reconcile_asked_total', 'Conversations and agents that were compared with the API since start.', ['entity'], (c) => {
    for (const [entity, count] of Object.entries(reconciler.totals.asked)) c.inc({ entity }, count)
  })
  counter('trunkline_reconcile_findings_total', 'What differed between the state and the API since start, by kind.', ['kind'], (c) => {
    for (const [kind, count] of Object.entries(reconciler.totals.found)) c.inc({ kind }, count)
  })
  counter('trunkline_reconcile_repaired_total', 'Findings that were repaired since start.', [], (c) => c.inc(reconciler.totals.repaired))
  counter('trunkline_reconcile_events_total', 'Events that were made for repairs since start.', [], (c) => c.inc(reconciler.totals.events))
  gauge('trunkline_reconcile_last_run_seconds', 'Time when the last run ended, Unix seconds.', [], (g) => {
    const endedAtMs = reconciler.last?.endedAtMs ?? null
    if (endedAtMs !== null) g.set(endedAtMs / 1000)
  })
  gauge('trunkline_source_gaps', 'Gaps of sources on record.', [], (g) => g.set(facts.gaps.count))
  gauge('trunkline_source_gap_seconds', 'Length of the gaps of sources together.', [], (g) => g.set(facts.gaps.lostMs / 1000))
  gauge('trunkline_source_connected', '1 while all that a source is asked for can come, 0 while some of it is missed.', ['source'], (g) => {
    for (const { name, connected } of facts.sources) g.set({ source: name }, connected ? 1 : 0)
  })
  gauge(
    'trunkline_source_open_gap_seconds',
    'How long the longest gap of a source that still lasts has lasted; 0 without one.',
    ['source'],
    (g) => {
      for (const source of facts.sources) {
        const [first] = source.openGaps()
        g.set({ source: source.name }, first?.toMs === null ? (facts.nowMs() - first.fromMs) / 1000 : 0)
      }
    },
  )
  return () => registry.metrics()
}

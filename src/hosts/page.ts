/** The plain page at `/`: what runs, and how to send the first event. (The console comes later.) */
export type PageFacts = {
  readonly url: string
  readonly mode: 'dev' | 'start'
  readonly tokenNeeded: boolean
  readonly simulating: boolean
  readonly routes: readonly {
    readonly name: string
    readonly takes: string
    readonly sink: string
    readonly paused: boolean
    readonly deadLetters: number
  }[]
  /** Sources that Trunkline connects to by itself. */
  readonly sources: readonly { readonly name: string; readonly connected: boolean }[]
  readonly accepted: number
}

export function page(facts: PageFacts): string {
  const auth = facts.tokenNeeded ? ` \\\n  -H "authorization: Bearer $TRUNKLINE_TOKEN"` : ''
  const rows = facts.routes
    .map((r) => `<tr><td>${text(r.name)}</td><td>${text(r.takes)}</td><td>${text(r.sink)}</td><td>${stateOf(r)}</td></tr>`)
    .join('')
  const sources = facts.sources
    .map(
      ({ name, connected }) =>
        `<p>${text(name)} is ${connected ? 'connected' : '<b>not connected</b>'}: <code>trunkline genesys status</code>.</p>`,
    )
    .join('')
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Trunkline</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}
pre{background:#f3f4f6;padding:.8rem;overflow:auto;border-radius:6px}table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd}code{background:#f3f4f6;padding:.1rem .25rem}
@media (prefers-color-scheme:dark){body{color:#e5e7eb;background:#111}pre,code{background:#1f2937}td,th{border-color:#374151}}
</style></head><body>
<h1>Trunkline is running</h1>
<p>Mode <b>${facts.mode}</b>${facts.simulating ? ', with a simulated call now and then' : ''}. ${facts.accepted} records accepted since start.</p>
<h2>Routes</h2><table><tr><th>route</th><th>takes</th><th>sink</th><th></th></tr>${rows}</table>${sources}
<h2>Send an event</h2>
<pre>curl -s ${text(facts.url)}/v1/events${auth} \\
  -H 'content-type: application/json' \\
  -d '{"topicName":"v2.users.1c8e2f6a-0b1d-4c5e-9f7a-2d3b4c5d6e7f.presence","version":"2",
       "eventBody":{"presenceDefinition":{"systemPresence":"AVAILABLE"},"modifiedDate":"2026-01-05T09:00:00.000Z"}}'</pre>
<h2>See what became of it</h2>
<pre>trunkline tail -n 20 --url ${text(facts.url)}
trunkline explain EVENT_ID --url ${text(facts.url)}</pre>
<p>In a clone, <code>npm run trunkline --</code> stands for <code>trunkline</code>.</p>
<p>API: ${PATHS.map((path) => `<code>${path}</code>`).join(', ')}.</p>
</body></html>
`
}

/** What answers a GET. */
const PATHS = [
  '/v1/events',
  '/v1/events/{id}',
  '/v1/deadletters',
  '/v1/deadletters/{route}/{id}',
  '/v1/quarantine',
  '/v1/quarantine/{id}',
  '/v1/schemas',
  '/v1/schemas/{topic}',
  '/v1/schemas/drift',
  '/v1/flags',
  '/v1/flags/changes',
  '/v1/gaps',
  '/v1/directory',
  '/v1/directory/{kind}',
  '/v1/conversations',
  '/v1/conversations/{id}',
  '/v1/agents',
  '/v1/agents/{id}',
  '/v1/queues',
  '/v1/reconcile',
  '/v1/state/changes',
  '/v1/stats',
  '/healthz',
  '/readyz',
  '/metrics',
]

function stateOf({ paused, deadLetters }: PageFacts['routes'][number]): string {
  const dead = deadLetters === 0 ? [] : [`<b>${deadLetters} dead letter${deadLetters === 1 ? '' : 's'}</b>`]
  return [...(paused ? ['paused'] : []), ...dead].join(', ')
}

const text = (value: string): string => value.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`)

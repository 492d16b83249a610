/** `POST /v1/reconcile` begins a run, `GET /v1/reconcile` shows what it does and what the last one found. Shapes: docs/reference/http-api.md. */
import type { Hono } from 'hono'
import { TrunklineError } from '../errors.ts'
import type { Reported, Run } from '../reconcile/report.ts'
import { Params } from './params.ts'
import type { Reconciler } from './reconcile.ts'
import { readObject } from './request-body.ts'

const MAX_IDS = 1_000

/** `nameOf` is the name of an agent; null where it is not known. */
export function reconcileApi(app: Hono, reconciler: Reconciler, nameOf: (userId: string) => string | null): void {
  const named = (finding: Reported): object => (finding.entity === 'agent' ? { ...finding, name: nameOf(finding.id) } : finding)
  const shown = (run: Run | null): object | null => (run === null ? null : { ...run, findings: run.findings.map(named) })
  app.get('/v1/reconcile', (c) => {
    new Params(c.req.query(), [])
    const { running, last, recent, ...status } = reconciler.status()
    return c.json({ ...status, running: shown(running), last: shown(last), recent: recent.map(named) })
  })
  app.post('/v1/reconcile', async (c) => {
    const params = new Params(await readObject(c.req.raw), ['conversations', 'agents', 'olderThanMs', 'dryRun'])
    const run = reconciler.start({
      by: 'request',
      conversations: idsIn(params, 'conversations'),
      agents: idsIn(params, 'agents'),
      olderThanMs: params.integer('olderThanMs') ?? null,
      dryRun: params.boolean('dryRun') ?? false,
    })
    return c.json({ run }, 202)
  })
}

/** Ids, each once. They become part of the name of a topic. */
function idsIn(params: Params, name: 'conversations' | 'agents'): readonly string[] {
  const ids = [...new Set(params.strings(name) ?? [])]
  if (ids.length > MAX_IDS) throw new TrunklineError('http.bad_request', `more than ${MAX_IDS} ${name}`, 'Name fewer of them at a time.')
  if (!ids.every((id) => /^[\w-]{1,64}$/.test(id)))
    throw new TrunklineError('http.bad_request', `one of the ${name} is no id`, 'Give ids as Genesys Cloud has them.')
  return ids
}

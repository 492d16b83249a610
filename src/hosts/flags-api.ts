/** Flags over HTTP: `GET /v1/flags`, `PUT /v1/flags`, `GET /v1/flags/changes`. Shapes: docs/reference/http-api.md. */
import type { Hono } from 'hono'
import type { Flags } from '../flags/flags.ts'
import { type FlagSubjects, readFlag } from '../flags/read-flag.ts'
import { Params } from './params.ts'
import { readObject } from './request-body.ts'

export type FlagsApiOptions = { readonly flags: Flags; readonly subjects: FlagSubjects; readonly nowMs: () => number }

const MAX_CHANGES = 1000

export function flagsApi(app: Hono, o: FlagsApiOptions): void {
  app.get('/v1/flags', (c) => {
    new Params(c.req.query(), [])
    return c.json({ flags: o.flags.list() })
  })
  app.get('/v1/flags/changes', (c) => {
    const params = new Params(c.req.query(), ['limit'])
    return c.json({ changes: o.flags.changes(params.limit(100, MAX_CHANGES)) })
  })
  app.put('/v1/flags', async (c) => {
    const body = await readObject(c.req.raw)
    const params = new Params(body, ['flag', 'route', 'key', 'topic', 'class', 'value', 'untilMs', 'by'])
    const nowMs = o.nowMs()
    const { name, value, untilMs } = readFlag(body, o.subjects, nowMs)
    return c.json(o.flags.set(name, value, params.text('by') ?? 'api', nowMs, untilMs))
  })
}

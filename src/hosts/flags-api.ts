/** Flags over HTTP: `GET /v1/flags`, `PUT /v1/flags`, `GET /v1/flags/changes`. Shapes: docs/reference/http-api.md. */
import type { Hono } from 'hono'
import type { FlagName, Flags } from '../flags/flags.ts'
import { type FlagSubjects, readFlag } from '../flags/read-flag.ts'
import { Params } from './params.ts'
import { readObject } from './request-body.ts'

export type FlagsApiOptions = {
  readonly flags: Flags
  readonly subjects: FlagSubjects
  /** The name of a key of a route's limit, and what is not sure about it. */
  readonly keyTold: (route: string, key: string | null) => { readonly keyName?: string | null; readonly note?: string | null }
  readonly nowMs: () => number
}

const MAX_CHANGES = 1000

export function flagsApi(app: Hono, o: FlagsApiOptions): void {
  const told = (name: FlagName): ReturnType<FlagsApiOptions['keyTold']> =>
    name.flag === 'route.limit' ? o.keyTold(name.route, name.key) : {}
  const named = (flag: FlagName): object => {
    const { keyName } = told(flag)
    return keyName === undefined ? flag : { ...flag, keyName }
  }
  app.get('/v1/flags', (c) => {
    new Params(c.req.query(), [])
    return c.json({ flags: o.flags.list().map(named) })
  })
  app.get('/v1/flags/changes', (c) => {
    const params = new Params(c.req.query(), ['limit'])
    return c.json({ changes: o.flags.changes(params.limit(100, MAX_CHANGES)).map(named) })
  })
  app.put('/v1/flags', async (c) => {
    const body = await readObject(c.req.raw)
    const params = new Params(body, ['flag', 'route', 'key', 'topic', 'class', 'value', 'untilMs', 'by'])
    const nowMs = o.nowMs()
    const { name, value, untilMs } = readFlag(body, o.subjects, nowMs)
    return c.json({ ...o.flags.set(name, value, params.text('by') ?? 'api', nowMs, untilMs), ...told(name) })
  })
}

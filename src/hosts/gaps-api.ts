/** `GET /v1/gaps`: times in which events were lost to a source, newest first. Shape: docs/reference/http-api.md. */
import type { Hono } from 'hono'
import type { GapBook } from './gap-book.ts'
import { Params } from './params.ts'

const MAX_LIMIT = 1000

export function gapsApi(app: Hono, gaps: GapBook): void {
  app.get('/v1/gaps', (c) => {
    const params = new Params(c.req.query(), ['limit', 'cursor'])
    const cursor = params.integer('cursor')
    return c.json(gaps.list({ limit: params.limit(100, MAX_LIMIT), ...(cursor === undefined ? {} : { cursor }) }))
  })
}

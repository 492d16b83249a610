/** `GET /v1/gaps`: times in which events were lost to a source, those not on record yet before all others, then newest first. Shape: docs/reference/http-api.md. */
import type { Hono } from 'hono'
import type { OpenGap } from '../sources/source.ts'
import type { GapBook } from './gap-book.ts'
import { Params } from './params.ts'

const MAX_LIMIT = 1000

export function gapsApi(app: Hono, gaps: GapBook, openGaps: () => readonly OpenGap[]): void {
  app.get('/v1/gaps', (c) => {
    const params = new Params(c.req.query(), ['limit', 'cursor'])
    const cursor = params.integer('cursor')
    const page = gaps.list({ limit: params.limit(100, MAX_LIMIT), ...(cursor === undefined ? {} : { cursor }) })
    // Few, and most urgent: they stand on the first page whatever its limit.
    const open = cursor === undefined ? openGaps().map((gap) => ({ id: null, ...gap })) : []
    return c.json({ gaps: [...open, ...page.gaps], cursor: page.cursor })
  })
}

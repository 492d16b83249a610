/** Names over HTTP: `GET /v1/directory` (what is known of each kind) and `GET /v1/directory/:kind?q=` (its names). Shapes: docs/reference/http-api.md. */
import type { Hono } from 'hono'
import { TrunklineError } from '../errors.ts'
import { DIRECTORY_KINDS, type Directory } from '../genesys/directory.ts'
import { Params } from './params.ts'

export type DirectoryApiOptions = {
  /** Null when no OAuth client is configured. */
  readonly directory: Directory | null
}

const MAX_LIMIT = 10_000

export function directoryApi(app: Hono, { directory }: DirectoryApiOptions): void {
  app.get('/v1/directory', (c) => {
    new Params(c.req.query(), [])
    return c.json(directory === null ? { configured: false, kinds: [], snapshotError: null } : { configured: true, ...directory.state() })
  })
  app.get('/v1/directory/:kind', (c) => {
    const params = new Params(c.req.query(), ['q', 'limit'])
    const asked = c.req.param('kind')
    const kind = DIRECTORY_KINDS.find((known) => known === asked)
    if (kind === undefined)
      throw new TrunklineError(
        'directory.unknown',
        `there are no names of ${JSON.stringify(asked.slice(0, 60))}`,
        `The kinds are: ${DIRECTORY_KINDS.join(', ')}.`,
      )
    if (directory === null)
      throw new TrunklineError(
        'directory.not_configured',
        'names are not known, because no OAuth client of Genesys Cloud is configured',
        'Set genesys.region, genesys.clientId and genesys.clientSecret; `trunkline genesys check` tries them.',
      )
    const state = directory.state().kinds.find((one) => one.kind === kind)
    return c.json({ ...state, ...directory.list(kind, params.text('q'), params.limit(1_000, MAX_LIMIT)), known: state?.names ?? 0 })
  })
}

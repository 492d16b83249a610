/**
 * Schemas and drift over HTTP: `GET /v1/schemas`, `GET /v1/schemas/drift`, `GET /v1/schemas/{topic}`. Shapes:
 * docs/reference/http-api.md. Nothing of an event is in any answer but what findings have: names of fields and values of enums.
 */
import type { Hono } from 'hono'
import { TrunklineError } from '../errors.ts'
import type { DriftEntry, DriftReport } from '../schema/drift-book.ts'
import { DRIFT_CLASSES, type DriftClass, type PolicyAction } from '../schema/finding.ts'
import type { SchemaProblem } from '../schema/folder.ts'
import type { Registry, SchemaVersion } from '../schema/registry.ts'
import { Params } from './params.ts'

export type SchemaApiOptions = {
  readonly registry: Registry
  /** What was wrong with files of the folder of schemas. */
  readonly problems: readonly SchemaProblem[]
  readonly drift: () => DriftReport
  /** Events that are in the log and not yet in the report. */
  readonly lagEvents: () => number
  /** The policy now: what happens to a class of drift of a topic. */
  readonly actionOf: (topic: string, drift: DriftClass) => PolicyAction
}

export function schemaApi(app: Hono, o: SchemaApiOptions): void {
  app.get('/v1/schemas', (c) => {
    new Params(c.req.query(), [])
    return c.json({ schemas: o.registry.topics().map((topic) => listed(o.registry, topic)), problems: o.problems })
  })
  // Before the topics: no topic is called `drift`.
  app.get('/v1/schemas/drift', (c) => {
    const params = new Params(c.req.query(), ['topic', 'class'])
    const topic = params.text('topic')
    const drift = params.oneOf('class', DRIFT_CLASSES)
    const report = o.drift()
    const wanted = (entry: DriftEntry): boolean =>
      (topic === undefined || entry.topic === topic) && (drift === undefined || entry.class === drift)
    return c.json({
      drift: report.drift.filter(wanted).map((entry) => ({ ...entry, action: o.actionOf(entry.topic, entry.class) })),
      topics: Object.fromEntries([...report.topics].filter(([name]) => topic === undefined || name === topic)),
      events: report.events,
      notListed: report.notListed,
      lagEvents: o.lagEvents(),
    })
  })
  app.get('/v1/schemas/:topic', (c) => {
    const params = new Params(c.req.query(), ['version'])
    const found = o.registry.find(c.req.param('topic'), params.text('version'))
    return c.json({ ...summary(o.registry, found), schema: readable(found) })
  })
}

function listed(registry: Registry, topic: string): object {
  const versions = registry.versions(topic).map((version) => summary(registry, version))
  return { topic, chosen: registry.chosen(topic), versions }
}

function summary(registry: Registry, version: SchemaVersion): object {
  const { topic, origin, file } = version
  return { topic, version: version.version, origin, file, inForce: registry.inForce(topic) === version }
}

/** As it is written; that of the package is read from its file. */
function readable(version: SchemaVersion): object {
  try {
    return version.schema
  } catch {
    throw new TrunklineError(
      'schema.missing',
      `the file ${version.file} of the package cannot be read`,
      'Install Trunkline again; validation goes on without it.',
    )
  }
}

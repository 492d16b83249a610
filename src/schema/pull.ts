/**
 * Writes what `schemasOf` made into the folder of schemas: a new file for each topic whose schema has other fields,
 * types or values than its newest one, in the folder or shipped; none for the others, so that a file means a change. Files are made under another name first: a folder that is read at
 * the same time, or a full disk, never shows half a schema.
 */
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { TrunklineError } from '../errors.ts'
import { diffSchemas, type SchemaChange } from './diff.ts'
import type { Loaded } from './folder.ts'
import { fileOf, type Pulled } from './pulled.ts'
import { Registry, type SchemaVersion } from './registry.ts'
import { compareVersions } from './versions.ts'

export type Written = {
  readonly topic: string
  readonly file: string
  readonly version: string
  /** What it was compared with; null for a topic that had no schema. */
  readonly before: { readonly origin: 'shipped' | 'own'; readonly version: string } | null
  readonly changes: readonly SchemaChange[]
}

export type PullReport = { readonly written: readonly Written[]; readonly unchanged: number }

/** Writes the new schemas; `loaded` is what the folder has now, `date` the version of what is new. */
export function writePulled(folder: string, loaded: Loaded, pulled: Pulled, date: string): PullReport {
  const registry = new Registry(loaded.schemas)
  const written: Written[] = []
  let unchanged = 0
  for (const one of pulled.schemas) {
    const newest = registry.versions(one.topic).at(-1) ?? null
    const changes = newest === null ? [] : diffSchemas(newest.schema, one.schema)
    if (newest !== null && changes.length === 0) {
      unchanged++
      continue
    }
    const version = versionAfter(registry.versions(one.topic), date)
    const { name, text } = fileOf(one, version)
    writeWhole(folder, name, text)
    const before = newest === null ? null : { origin: newest.origin, version: newest.version }
    written.push({ topic: one.topic, file: name, version, before, changes })
  }
  return { written, unchanged }
}

/** The date, or `date.2` and so on when there is one of that date already. */
function versionAfter(versions: readonly SchemaVersion[], date: string): string {
  const taken = new Set(versions.map(({ version }) => version))
  let version = date
  for (let i = 2; taken.has(version); i++) version = `${date}.${i}`
  const newest = versions.filter(({ origin }) => origin === 'own').at(-1)
  // A version of one's own may be called anything; what was pulled last must still be the newest.
  if (newest !== undefined && compareVersions(version, newest.version) < 0) {
    throw new TrunklineError(
      'schema_version.order',
      `${newest.topic} has a version ${newest.version} in the folder, which counts as newer than ${version}`,
      'Rename that version (its "x-version"), or pull into another folder with --dir.',
    )
  }
  return version
}

function writeWhole(folder: string, name: string, text: string): void {
  const path = join(folder, name)
  const draft = `${path}.new`
  try {
    mkdirSync(folder, { recursive: true })
    if (existsSync(path)) throw new Error('it exists and could not be loaded')
    writeFileSync(draft, text)
    renameSync(draft, path)
  } catch (error) {
    if (existsSync(draft)) rmSync(draft)
    const why = error instanceof Error ? error.message : String(error)
    throw new TrunklineError(
      'schema.unwritable',
      `${path} cannot be written: ${why}`,
      'Check the folder, its permissions and the space left on it.',
    )
  }
}

/**
 * The schemas there are, and for each topic the one in force: the version that `use` named, else the newest of the user's
 * own, else the shipped one. Looking up a validator is one lookup in a map. Nothing is compiled here.
 */
import { readFileSync } from 'node:fs'
import { TrunklineError } from '../errors.ts'
import { nearestTopics } from '../event/topics.ts'
import type { Validator } from './finding.ts'
import type { LoadedSchema } from './folder.ts'
import { SHIPPED, SHIPPED_VERSION } from './generated/shipped-validators.ts'
import type { JsonSchema } from './json-schema.ts'
import { validatorOf } from './validator.ts'
import { compareVersions } from './versions.ts'

export type SchemaVersion = {
  readonly topic: string
  readonly version: string
  readonly origin: 'shipped' | 'own'
  /** The file it is from: of the package, or as the user named the folder. */
  readonly file: string
  /** As it is written. */
  readonly schema: JsonSchema
  /** What is compiled. */
  readonly strict: JsonSchema
  readonly validator: Validator
}

export class Registry {
  /** By topic, the newest last; the shipped one first. */
  readonly #versions: ReadonlyMap<string, readonly SchemaVersion[]>
  readonly #inForce = new Map<string, SchemaVersion>()
  readonly #chosen = new Map<string, string>()
  #revision = 0

  constructor(own: readonly LoadedSchema[] = []) {
    const versions = new Map<string, SchemaVersion[]>()
    for (const [topic, shipped] of SHIPPED) versions.set(topic, [shippedVersion(topic, shipped)])
    for (const schema of own.toSorted((a, b) => compareVersions(a.version, b.version))) {
      const version: SchemaVersion = { ...schema, origin: 'own' }
      const others = versions.get(schema.topic)
      if (others === undefined) versions.set(schema.topic, [version])
      else others.push(version)
    }
    this.#versions = versions
    for (const [topic, all] of versions) this.#inForce.set(topic, all.at(-1)!)
  }

  /** Grows whenever the schema in force of a topic changes: what was judged before was judged by another. */
  get revision(): number {
    return this.#revision
  }

  /** The topics that have a schema, sorted. */
  topics(): readonly string[] {
    return [...this.#versions.keys()].toSorted()
  }

  /** All versions of a topic, the newest last; empty when there is none. */
  versions(topic: string): readonly SchemaVersion[] {
    return this.#versions.get(topic) ?? []
  }

  /** The schema in force, or null. */
  inForce(topic: string): SchemaVersion | null {
    return this.#inForce.get(topic) ?? null
  }

  /** The validator of the schema in force, or null. */
  validatorOf(topic: string): Validator | null {
    return this.#inForce.get(topic)?.validator ?? null
  }

  /** The strict form of the schema in force, or null. */
  strictOf(topic: string): JsonSchema | null {
    return this.#inForce.get(topic)?.strict ?? null
  }

  /** The version that was chosen by `use`, or null. */
  chosen(topic: string): string | null {
    return this.#chosen.get(topic) ?? null
  }

  /** A version of a topic, or the one in force; rejects unknown ones with what there is. */
  find(topic: string, version?: string): SchemaVersion {
    const versions = this.versions(topic)
    if (versions.length === 0) {
      const near = nearestTopics(topic, 40)
        .filter((name) => this.#versions.has(name))
        .slice(0, 3)
      throw new TrunklineError(
        'schema.unknown',
        `there is no schema of the topic ${quoted(topic)}`,
        `Near it are: ${near.join(', ')}. Put your own into the schema folder.`,
      )
    }
    const found = version === undefined ? this.#inForce.get(topic) : versions.findLast((one) => one.version === version)
    if (found !== undefined) return found
    const known = versions.map((one) => one.version).join(', ')
    throw new TrunklineError(
      'schema_version.unknown',
      `the schema of ${topic} has no version ${quoted(version ?? '')}`,
      `Versions are: ${known}.`,
    )
  }

  /** Puts a version in force; null goes back to the newest. */
  use(topic: string, version: string | null): void {
    const found = (version === null ? this.versions(topic).at(-1) : undefined) ?? this.find(topic, version ?? undefined)
    if (version === null) this.#chosen.delete(topic)
    else this.#chosen.set(topic, version)
    if (this.#inForce.get(topic) === found) return
    this.#inForce.set(topic, found)
    this.#revision++
  }
}

function shippedVersion(
  topic: string,
  shipped: { readonly file: string; readonly schema: JsonSchema; readonly fits: (body: unknown) => boolean },
): SchemaVersion {
  let read: JsonSchema | undefined
  return {
    topic,
    version: SHIPPED_VERSION,
    origin: 'shipped',
    file: shipped.file,
    // Only who shows or compares it needs it as it is written.
    get schema(): JsonSchema {
      read ??= JSON.parse(readFileSync(new URL(`genesys/${shipped.file}`, import.meta.url), 'utf8')) as JsonSchema
      return read
    },
    strict: shipped.schema,
    validator: validatorOf({ strict: shipped.schema, fits: shipped.fits }),
  }
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 120))
}

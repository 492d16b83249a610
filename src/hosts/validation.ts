/**
 * Everything about schemas in one place, for the service: the schemas there are, the policy with the flags that go before it,
 * the stage of the routes, and the drift report. A flag that changes holds from the next event on.
 */
import type { Config } from '../config/config.ts'
import type { Event, Mark } from '../event/event.ts'
import { isKnownTopic } from '../event/topics.ts'
import type { Flags } from '../flags/flags.ts'
import { validateStage, type ValidateStage } from '../pipeline/validate.ts'
import { assessWith } from '../schema/assess.ts'
import { DriftBook, type DriftReport } from '../schema/drift-book.ts'
import type { DriftClass, Finding, PolicyAction } from '../schema/finding.ts'
import { loadSchemas, type SchemaProblem } from '../schema/folder.ts'
import { shownTopic } from '../schema/naming.ts'
import { policyOf, type Policy } from '../schema/policy.ts'
import { Registry } from '../schema/registry.ts'

export type ValidationOptions = {
  readonly schemas: Config['schemas']
  readonly flags: Flags
  readonly warn: (code: string, message: string) => void
}

export class Validation {
  readonly registry: Registry
  /** Files of the schema folder that could not be used. */
  readonly problems: readonly SchemaProblem[]
  readonly stage: ValidateStage
  readonly #options: ValidationOptions
  readonly #assess: ReturnType<typeof assessWith>
  #policy: Policy
  #book: DriftBook

  private constructor(options: ValidationOptions, registry: Registry, problems: readonly SchemaProblem[]) {
    this.#options = options
    this.registry = registry
    this.problems = problems
    this.#assess = assessWith(registry)
    this.#policy = this.#currentPolicy()
    this.#book = this.#newBook()
    this.stage = validateStage({
      // Where every finding would be accepted there is nothing to find: the drift report looks at the event anyway.
      assess: (event) => (this.#policy.mayAct(event.topic) ? this.#assess(event) : NOTHING),
      decide: (topic, findings) => this.#policy.decide(topic, findings),
    })
    for (const topic of registry.topics()) this.#useFlagged(topic)
    options.flags.onChange((change) => {
      if (change.flag === 'schema.version') this.#useFlagged(change.topic)
      if (change.flag === 'schema.policy') this.#policy = this.#currentPolicy()
    })
  }

  /** Reads the schema folder, if there is one. A file in it that is no schema is said, and the others are used. */
  static async open(options: ValidationOptions): Promise<Validation> {
    const { dir } = options.schemas
    const { schemas, problems } = dir === null ? { schemas: [], problems: [] } : await loadSchemas(dir)
    for (const { code, message, hint } of problems) options.warn(code, `${message}. ${hint}`)
    return new Validation(options, new Registry(schemas), problems)
  }

  /** All findings of an event, whatever the policy says. */
  assess(event: Event): readonly Finding[] {
    return this.#assess(event)
  }

  /** A topic that Genesys lists, that has a schema, or that was seen in traffic: no slip of whoever names it. */
  knows(topic: string): boolean {
    if (isKnownTopic(topic) || this.registry.versions(topic).length > 0) return true
    return this.#book.report().topics.has(shownTopic(topic, false))
  }

  marksOf(event: Event): readonly Mark[] {
    return this.stage.marksOf(event)
  }

  actionOf(topic: string, drift: DriftClass): PolicyAction {
    return this.#policy.actionOf(topic, drift)
  }

  report(): DriftReport {
    return this.#book.report()
  }

  /** Folds one event, whose body is parsed, into the drift report. */
  fold(event: Event, body: unknown): void {
    this.#book.feed(event, this.#assess(event, body), body)
  }

  /** The drift report as it is stored. */
  storedReport(): unknown {
    return this.#book.toJSON()
  }

  restoreReport(stored: unknown): void {
    this.#book = DriftBook.from(stored, { schemaOf: this.#schemaOf })
  }

  readonly #schemaOf = (topic: string): ReturnType<Registry['strictOf']> => this.registry.strictOf(topic)

  #newBook(): DriftBook {
    return new DriftBook({ schemaOf: this.#schemaOf })
  }

  #currentPolicy(): Policy {
    const overrides = this.#options.flags
      .list()
      .flatMap((flag) =>
        flag.flag === 'schema.policy' ? [{ topic: flag.topic, class: flag.class, action: flag.value as PolicyAction }] : [],
      )
    return policyOf(this.#options.schemas.policy, overrides)
  }

  #useFlagged(topic: string): void {
    const version = this.#options.flags.get({ flag: 'schema.version', topic })
    const known = typeof version === 'string' && this.registry.versions(topic).some((one) => one.version === version)
    if (typeof version === 'string' && !known)
      this.#options.warn(
        'schema_version.unknown',
        `the version ${version} that was chosen for ${topic} is not there any more; the newest is used`,
      )
    this.registry.use(topic, known ? version : null)
  }
}

const NOTHING: readonly Finding[] = []

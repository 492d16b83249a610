/**
 * What the service level of a queue is measured by, and where that was said: the configuration says it of single queues
 * (`state.serviceLevels`); else Genesys Cloud says a target for each medium; else one target is for all (`state.serviceTargetMs`).
 * A threshold of short abandons is not among what Genesys Cloud tells, so it is from the configuration.
 */
import type { Config } from '../config/config.ts'
import type { Directory } from '../genesys/directory.ts'
import type { ServiceLevelOf } from '../state/queue-state.ts'

/** `queue`: of `state.serviceLevels`; `config`: of `state`, for all; `default`: nobody said otherwise. */
export type GoalFrom = 'queue' | 'directory' | 'config' | 'default'

export type ServiceGoals = {
  readonly targets: readonly {
    /** Null: all media, or all that have no row of their own. */
    readonly mediaType: string | null
    readonly targetMs: number
    /** Such a share of answers in time is wanted, 0..1; null where nobody said. */
    readonly share: number | null
    readonly from: GoalFrom
  }[]
  readonly shortAbandonMs: number
  readonly shortAbandonFrom: GoalFrom
}

type OwnLevel = Config['state']['serviceLevels'][string]
const NONE: OwnLevel = { targetMs: null, shortAbandonMs: null }

export class GoalBook {
  readonly #config: Pick<Config, 'state' | 'origins'>
  readonly #levels: ReadonlyMap<string, OwnLevel>
  readonly #directory: Pick<Directory, 'goalsOf' | 'nameOf'> | null

  constructor(config: Pick<Config, 'state' | 'origins'>, directory: Pick<Directory, 'goalsOf' | 'nameOf'> | null) {
    this.#config = config
    this.#levels = new Map(Object.entries(config.state.serviceLevels))
    this.#directory = directory
  }

  readonly levelOf: ServiceLevelOf = (queueId, mediaType) => {
    const { serviceTargetMs, shortAbandonMs } = this.#config.state
    const own = this.#own(queueId)
    const told = (): number | undefined => this.#directory?.goalsOf(queueId).find((goal) => goal.mediaType === mediaType)?.targetMs
    return { targetMs: own.targetMs ?? told() ?? serviceTargetMs, shortAbandonMs: own.shortAbandonMs ?? shortAbandonMs }
  }

  /** All that `levelOf` goes by for a queue. */
  of(queueId: string): ServiceGoals {
    const { serviceTargetMs, shortAbandonMs } = this.#config.state
    const own = this.#own(queueId)
    const goals = this.#directory?.goalsOf(queueId) ?? []
    return {
      targets:
        own.targetMs !== null
          ? [{ mediaType: null, targetMs: own.targetMs, share: null, from: 'queue' }]
          : [
              ...goals.map((goal) => ({ ...goal, from: 'directory' as const })),
              { mediaType: null, targetMs: serviceTargetMs, share: null, from: this.#from('serviceTargetMs') },
            ],
      shortAbandonMs: own.shortAbandonMs ?? shortAbandonMs,
      shortAbandonFrom: own.shortAbandonMs !== null ? 'queue' : this.#from('shortAbandonMs'),
    }
  }

  #own(queueId: string): OwnLevel {
    const levels = this.#levels
    if (levels.size === 0) return NONE
    const name = this.#directory?.nameOf('queues', queueId)?.name
    return levels.get(queueId) ?? (name === undefined ? undefined : levels.get(name)) ?? NONE
  }

  #from(option: 'serviceTargetMs' | 'shortAbandonMs'): 'config' | 'default' {
    return (this.#config.origins[`state.${option}`] ?? 'default') === 'default' ? 'default' : 'config'
  }
}

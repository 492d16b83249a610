/** Reads the parameters of a request: unknown names and bad values are errors that say what would be right. */
import { TrunklineError } from '../errors.ts'

/** Date.parse takes nearly anything for a year. */
const ISO_DATE = /^\d{4}-\d\d/

export class Params {
  readonly #values: ReadonlyMap<string, unknown>

  constructor(values: Readonly<Record<string, unknown>>, known: readonly string[]) {
    this.#values = new Map(Object.entries(values).filter(([, value]) => value !== undefined && value !== null && value !== ''))
    for (const name of this.#values.keys())
      if (!known.includes(name)) throw bad(name, 'is not known here', `Known are: ${known.join(', ')}.`)
  }

  text(name: string): string | undefined {
    const value = this.#values.get(name)
    if (value === undefined) return undefined
    if (typeof value !== 'string' || value.length > 1000) throw bad(name, 'is no text of at most 1,000 characters')
    return value
  }

  oneOf<T extends string>(name: string, values: readonly T[]): T | undefined {
    const value = this.text(name)
    if (value === undefined) return undefined
    if (!values.includes(value as T)) throw bad(name, `is none of ${values.join(', ')}`)
    return value as T
  }

  integer(name: string): number | undefined {
    const value = this.#values.get(name)
    if (value === undefined) return undefined
    const number = typeof value === 'number' ? value : typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : NaN
    if (!Number.isSafeInteger(number) || number < 0) throw bad(name, 'is no whole number')
    return number
  }

  positive(name: string): number | undefined {
    const value = this.#values.get(name)
    if (value === undefined) return undefined
    if (typeof value !== 'number' || !(value > 0) || value > 1e6) throw bad(name, 'is no number above 0')
    return value
  }

  boolean(name: string): boolean | undefined {
    const value = this.#values.get(name)
    if (value === undefined) return undefined
    if (typeof value !== 'boolean') throw bad(name, 'is neither true nor false')
    return value
  }

  strings(name: string): readonly string[] | undefined {
    const value = this.#values.get(name)
    if (value === undefined) return undefined
    if (!Array.isArray(value) || value.some((v) => typeof v !== 'string')) throw bad(name, 'is no list of texts')
    return value as string[]
  }

  /** Epoch ms, given as such or as an ISO time. */
  instant(name: string): number | undefined {
    const value = this.#values.get(name)
    if (value === undefined) return undefined
    const number =
      typeof value === 'number' || (typeof value === 'string' && /^\d{1,15}$/.test(value))
        ? Number(value)
        : typeof value === 'string' && ISO_DATE.test(value)
          ? Date.parse(value)
          : NaN
    if (!Number.isFinite(number)) throw bad(name, 'is no time', 'Give epoch milliseconds or an ISO time such as 2026-11-20T16:00:00Z.')
    return number
  }

  limit(otherwise: number, most: number): number {
    const value = this.integer('limit') ?? otherwise
    if (value < 1 || value > most) throw bad('limit', `is not between 1 and ${most}`)
    return value
  }
}

const bad = (name: string, what: string, hint = 'See docs/reference/http-api.md.'): TrunklineError =>
  new TrunklineError('http.bad_request', `parameter ${JSON.stringify(name.slice(0, 100))} ${what}`, hint)

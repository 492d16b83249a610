/** An error a person can act on: `code` is `area.reason` (listed in docs/reference/errors.md), `hint` says what to do. Recognised by `code`, never by class or text. */
export class TrunklineError extends Error {
  readonly code: string
  readonly hint: string

  constructor(code: string, message: string, hint: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'TrunklineError'
    this.code = code
    this.hint = hint
  }
}

/** What the key index refuses or cannot do, as a code with a way out. The log is never harmed by any of these. */
export type KeyIndexErrorCode =
  /** A run turned out to be damaged while in use: it and everything newer was forgotten; re-add from `coveredThroughSeq`. */
  | 'keys.damaged'
  /** Runs cannot be written (full disk?) and the memory table has no room left. */
  | 'keys.full'
  /** A run could not be written; its keys are still in memory. */
  | 'keys.write-failed'
  /** A key that is not 16 bytes, or a sequence number lower than one added before. */
  | 'keys.misuse'

export class KeyIndexError extends Error {
  readonly code: KeyIndexErrorCode
  readonly hint: string

  constructor(code: KeyIndexErrorCode, message: string, hint: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'KeyIndexError'
    this.code = code
    this.hint = hint
  }
}

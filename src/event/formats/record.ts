/** What a format reader gets: one JSON object with its bytes, and what was peeled off round it. */
import type { Layer, TargetFailure } from '../event.ts'
import type { JsonObject } from '../json.ts'

export type JsonRecord = {
  readonly object: JsonObject
  /** The object as text, for reading numbers a double cannot hold. */
  readonly text: string
  readonly raw: Uint8Array
  readonly layers: readonly Layer[]
  /** From the attributes of a DLQ message round the record. */
  readonly failure: TargetFailure | null
  /** The organisation to assume where the record names none. */
  readonly orgId: string | null
}

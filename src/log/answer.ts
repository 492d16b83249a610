/** The answer to one request, gathered while its records are read: JSON text in the shape of the HTTP interface. */
import { eventId } from './event-id.ts'
import type { AppendAnswer, AppendRequest } from './messages.ts'

/** Ids are left out of answers to more records than this, unless asked for. */
const IDS_ABOVE = 100

export class AnswerBuilder {
  readonly request: AppendRequest
  readonly #logId: string
  #ids: (string | null | string[])[] = []
  #errors: { index: number; code: string; message: string; quarantineId: string }[] = []
  /** Records that decoded, and their bytes. */
  acceptedCount = 0
  acceptedBytes = 0
  failedCount = 0
  /** Failed records whose bytes are kept together, because there are too many of them for one each. */
  readonly rest: { index: number; bytes: Uint8Array }[] = []

  constructor(logId: string, request: AppendRequest) {
    this.#logId = logId
    this.request = request
  }

  begin(index: number, list: boolean): void {
    this.#ids[index] = list ? [] : null
  }

  accepted(seq: number, index: number, bytes: number): void {
    this.acceptedCount++
    this.acceptedBytes += bytes
    const id = eventId(this.#logId, seq)
    const place = this.#ids[index]
    if (Array.isArray(place)) place.push(id)
    else this.#ids[index] = id
  }

  /** `count` records that failed alike; `id` is where their bytes are. */
  failed(index: number, code: string, message: string, id: string, count = 1): void {
    this.failedCount += count
    this.#errors.push({ index, code, message, quarantineId: id })
    if (this.#ids[index] === undefined) this.#ids[index] = null
  }

  finish(): AppendAnswer {
    const withIds = this.#ids.length <= IDS_ABOVE || this.request.wantIds
    const body = JSON.stringify({
      accepted: this.acceptedCount,
      quarantined: this.failedCount,
      ...(withIds ? { ids: this.#ids } : {}),
      errors: this.#errors,
    })
    const status = this.acceptedCount > 0 ? 202 : this.request.oversize !== null ? 413 : 400
    return { id: this.request.id, status, body }
  }
}

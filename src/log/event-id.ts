/**
 * Trunkline's own ids: `<log id>-<seq>`, e.g. `k3v9qa7m-0000002s`. The log id is made once with the data directory, so
 * ids of two installations never meet; the seq leads straight to the record.
 */
const DIGITS = 8

export const eventId = (logId: string, seq: number): string => `${logId}-${seq.toString(36).padStart(DIGITS, '0')}`

export const quarantineId = (logId: string, seq: number): string => `${logId}-q${seq.toString(36).padStart(DIGITS, '0')}`

/** Seq of an id made by this log, else null. */
export function parseEventId(logId: string, id: string): number | null {
  return parse(id, `${logId}-`)
}

export function parseQuarantineId(logId: string, id: string): number | null {
  return parse(id, `${logId}-q`)
}

function parse(id: string, prefix: string): number | null {
  if (!id.startsWith(prefix)) return null
  const digits = id.slice(prefix.length)
  if (!/^[0-9a-z]{8,10}$/.test(digits)) return null
  const seq = Number.parseInt(digits, 36)
  return Number.isSafeInteger(seq) && seq > 0 ? seq : null
}

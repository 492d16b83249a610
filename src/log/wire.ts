/**
 * How requests and answers cross between the threads: a few typed arrays and strings for a whole turn of the event
 * loop. Copying an object per request costs several microseconds each, more than decoding some of them.
 */
import type { AppendAnswer, AppendRequest, BodyKind } from './messages.ts'

const KINDS: readonly BodyKind[] = ['json', 'ndjson', 'auto']
const COLUMNS = 5
const GZIP = 4
const WANT_IDS = 8
const VIA_SHIFT = 16

export type PackedRequests = {
  /** id, offset, length, receivedAtMs, flags of each request. */
  readonly table: Float64Array
  readonly vias: readonly string[]
  readonly oversize: readonly { readonly index: number; readonly sizeBytes: number; readonly sha256: string }[]
}

export function packRequests(requests: readonly AppendRequest[]): PackedRequests {
  const table = new Float64Array(requests.length * COLUMNS)
  const vias: string[] = []
  const oversize: PackedRequests['oversize'][number][] = []
  for (const [i, r] of requests.entries()) {
    let via = vias.indexOf(r.via)
    if (via < 0) via = vias.push(r.via) - 1
    const at = i * COLUMNS
    table[at] = r.id
    table[at + 1] = r.offset
    table[at + 2] = r.length
    table[at + 3] = r.receivedAtMs
    table[at + 4] = KINDS.indexOf(r.kind) | (r.gzip ? GZIP : 0) | (r.wantIds ? WANT_IDS : 0) | (via << VIA_SHIFT)
    if (r.oversize !== null) oversize.push({ index: i, ...r.oversize })
  }
  return { table, vias, oversize }
}

export function unpackRequests(packed: PackedRequests): AppendRequest[] {
  const { table, vias } = packed
  const requests: AppendRequest[] = []
  for (let at = 0; at < table.length; at += COLUMNS) {
    const flags = table[at + 4]!
    const oversize = packed.oversize.length === 0 ? undefined : packed.oversize.find((o) => o.index === at / COLUMNS)
    requests.push({
      id: table[at]!,
      offset: table[at + 1]!,
      length: table[at + 2]!,
      receivedAtMs: table[at + 3]!,
      kind: KINDS[flags & 3]!,
      gzip: (flags & GZIP) !== 0,
      wantIds: (flags & WANT_IDS) !== 0,
      via: vias[flags >> VIA_SHIFT]!,
      oversize: oversize === undefined ? null : { sizeBytes: oversize.sizeBytes, sha256: oversize.sha256 },
    })
  }
  return requests
}

export type PackedAnswers = {
  /** id and status of each answer. */
  readonly table: Float64Array
  /** The bodies, a line each: JSON text holds no line break. */
  readonly bodies: string
}

export function packAnswers(answers: readonly AppendAnswer[]): PackedAnswers {
  const table = new Float64Array(answers.length * 2)
  let bodies = ''
  for (const [i, a] of answers.entries()) {
    table[i * 2] = a.id
    table[i * 2 + 1] = a.status
    bodies += i === 0 ? a.body : `\n${a.body}`
  }
  return { table, bodies }
}

export function unpackAnswers(packed: PackedAnswers, each: (id: number, status: number, body: string) => void): void {
  const { table, bodies } = packed
  let from = 0
  for (let i = 0; i < table.length; i += 2) {
    const end = bodies.indexOf('\n', from)
    each(table[i]!, table[i + 1]!, end < 0 ? bodies.slice(from) : bodies.slice(from, end))
    from = end + 1
  }
}

/**
 * What goes wrong on the fake platform, and when: a list of faults in time, written by hand
 * (`eviction@2h,outage@5h+10m`) or drawn by chance. The list is data: the same list fails the same way again.
 */

/** One planted fault. Those with a span hit what happens in it; the others hit one connected channel at once. */
export type Fault = {
  readonly kind: FaultKind
  readonly atMs: number
  readonly durationMs: number
}

export type FaultKind =
  | 'throttle'
  | 'unavailable'
  | 'slow'
  | 'html'
  | 'truncated'
  | 'redirect'
  | 'revocation'
  | 'eviction'
  | 'closing'
  | 'termination'
  | 'silence'
  | 'mute'
  | 'unsubscription'
  | 'outage'
  | 'streaming'
  | 'withheld-end'
  | 'withheld-status'

/** Kind -> how long it lasts when nothing else is said, and what it is. */
const KINDS: Readonly<Record<FaultKind, { readonly durationMs: number; readonly is: string }>> = {
  throttle: { durationMs: 120_000, is: 'half of the calls are answered 429' },
  unavailable: { durationMs: 120_000, is: 'half of the calls are answered 502, 503 or 504' },
  slow: { durationMs: 120_000, is: 'answers take 5 to 15 seconds' },
  html: { durationMs: 60_000, is: 'half of the answers are HTML pages' },
  truncated: { durationMs: 60_000, is: 'half of the answers end in the middle of their JSON' },
  redirect: { durationMs: 60_000, is: 'half of the calls are sent elsewhere' },
  revocation: { durationMs: 0, is: 'all tokens given so far are revoked' },
  eviction: { durationMs: 0, is: 'a channel is gone' },
  closing: { durationMs: 0, is: 'a socket is closed a minute after its notice' },
  termination: { durationMs: 0, is: 'a socket is cut off' },
  silence: { durationMs: 0, is: 'a socket falls silent and stays open' },
  mute: { durationMs: 120_000, is: 'a socket is cut off, and new ones are accepted and stay silent' },
  unsubscription: { durationMs: 0, is: 'a channel loses its topics' },
  outage: { durationMs: 600_000, is: 'nothing answers: connections are refused' },
  streaming: { durationMs: 300_000, is: 'no WebSocket can be had; the API answers' },
  'withheld-end': { durationMs: 0, is: 'that the next conversation ends (all, for a span) is never published; the API knows it' },
  'withheld-status': {
    durationMs: 86_400_000,
    is: 'the next agent whose status changes: it and all that follow are not published; the API knows them',
  },
}

/** What no channel and no call can be blamed for: only planted by hand. */
const NEVER_DRAWN: readonly FaultKind[] = ['withheld-end', 'withheld-status']

export const FAULT_KINDS: readonly FaultKind[] = Object.keys(KINDS) as FaultKind[]

/** Those that `drawFaults` draws from. */
export const DRAWN_KINDS: readonly FaultKind[] = FAULT_KINDS.filter((kind) => !NEVER_DRAWN.includes(kind))

/** What the kind is, in words. */
export function describeFault(kind: FaultKind): string {
  return KINDS[kind].is
}

/** Reads `kind@when[+span],...`; times count from `startAtMs`. Answers what is wrong as text. */
export function readFaults(list: string, startAtMs: number): readonly Fault[] | string {
  const faults: Fault[] = []
  for (const text of list.split(',').map((part) => part.trim())) {
    if (text === '') continue
    const [, name = '', at = '', span] = /^([a-z-]+)@([\d.]+[smhd])(?:\+([\d.]+[smhd]))?$/.exec(text) ?? []
    const kind = FAULT_KINDS.find((known) => known === name)
    if (kind === undefined) return `"${text.slice(0, 60)}" is no fault: write KIND@TIME or KIND@TIME+SPAN`
    const offsetMs = spanMs(at)
    const durationMs = span === undefined ? KINDS[kind].durationMs : spanMs(span)
    if (offsetMs === null || durationMs === null) return `"${text.slice(0, 60)}" has no time such as 90s, 15m, 2h or 1d`
    faults.push({ kind, atMs: startAtMs + offsetMs, durationMs })
    if (faults.length > MAX_FAULTS) return `more than ${MAX_FAULTS} faults`
  }
  return faults.sort(byTime)
}

/** Milliseconds of `90s`, `15m`, `2h` or `1d`; null when it is no such text. */
export function spanMs(text: string): number | null {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)([smhd])$/.exec(text) ?? []
  const factor = UNIT_MS.get(unit)
  return factor === undefined ? null : Math.round(Number(number) * factor)
}

/**
 * Faults drawn by chance: each kind in turn in an order that is shuffled anew every round, about every 40 minutes
 * (`some`) or 12 (`many`), so that even a short run sees most kinds and no two hide each other for long.
 */
export function drawFaults(
  level: 'some' | 'many',
  span: { readonly fromMs: number; readonly toMs: number },
  random: () => number,
): readonly Fault[] {
  const everyMs = level === 'many' ? 720_000 : 2_400_000
  const faults: Fault[] = []
  let deck: FaultKind[] = []
  for (let atMs = span.fromMs + everyMs; atMs < span.toMs && faults.length < MAX_FAULTS; atMs += everyMs * (0.7 + 0.6 * random())) {
    if (deck.length === 0) deck = shuffled(DRAWN_KINDS, random)
    const kind = deck.pop()!
    faults.push({ kind, atMs: Math.round(atMs), durationMs: KINDS[kind].durationMs })
  }
  return faults
}

const MAX_FAULTS = 10_000

const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
])

function byTime(a: Fault, b: Fault): number {
  return a.atMs - b.atMs
}

function shuffled<T>(list: readonly T[], random: () => number): T[] {
  const copy = [...list]
  for (let i = copy.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    ;[copy[i], copy[j]] = [copy[j]!, copy[i]!]
  }
  return copy
}

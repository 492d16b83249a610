/** ISO 8601 texts of instants, fast: the part before the milliseconds is remembered for the seconds used last. */
const MS_TEXT: readonly string[] = Array.from({ length: 1000 }, (_, ms) => `.${String(ms).padStart(3, '0')}Z`)
const SECONDS: number[] = Array.from({ length: 256 }, () => -1)
const TEXTS: string[] = Array.from({ length: 256 }, () => '')

/** `2026-03-02T09:00:00.123Z` */
export function isoOf(atMs: number): string {
  return secondText(atMs) + MS_TEXT[atMs % 1000]!
}

/** `2026-03-02T09:00:00Z` */
export function isoSecondsOf(atMs: number): string {
  return secondText(atMs) + 'Z'
}

function secondText(atMs: number): string {
  const second = Math.floor(atMs / 1000)
  const place = second & 255
  if (SECONDS[place] !== second) {
    SECONDS[place] = second
    TEXTS[place] = new Date(second * 1000).toISOString().slice(0, 19)
  }
  return TEXTS[place]!
}

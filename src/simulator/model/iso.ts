/** ISO 8601 texts of instants, fast: instants come in order, so the part before the milliseconds is mostly that of the last one. */
const MS_TEXT: readonly string[] = Array.from({ length: 1000 }, (_, ms) => `.${String(ms).padStart(3, '0')}Z`)
let lastSecond = -1
let lastText = ''

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
  if (second !== lastSecond) {
    lastText = new Date(second * 1000).toISOString().slice(0, 19)
    lastSecond = second
  }
  return lastText
}

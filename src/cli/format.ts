/** How times, topics and tables look. Everything that comes in is escaped here; what comes out may be printed. */
import { escapeText } from './text.ts'

/** `2026-08-14T09:30:45.013Z`; a dash when there is no time. */
export function instant(atMs: number | null): string {
  return atMs === null || Math.abs(atMs) > MAX_DATE_MS ? '-' : new Date(atMs).toISOString()
}

/** `09:30:45.013Z`. */
export function timeOfDay(atMs: number | null): string {
  return instant(atMs).replace(/^.*T/, '')
}

/** `+250 ms`, `+3.2 s`, `+5 min`: how long after. */
export function after(ms: number): string {
  return `+${lasting(ms)}`
}

/** `250 ms`, `3.2 s`, `5 min`, `2.1 h`: how long. */
export function lasting(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 120_000) return `${(ms / 1000).toFixed(1)} s`
  return ms < 7_200_000 ? `${Math.round(ms / 60_000)} min` : `${(ms / 3_600_000).toFixed(1)} h`
}

/** A topic as lists show it. */
export function shortTopic(topic: string): string {
  return escapeText(shortOf(topic))
}

/** A topic without what many share: version and placeholders. */
export function shortOf(topic: string): string {
  return topic
    .replace(/^v2\./, '')
    .replaceAll('.{id}', '')
    .replace(/^detail\.events\./, '')
}

export function bytes(count: number): string {
  if (count < 1024) return `${count} B`
  return count < 1024 ** 2 ? `${(count / 1024).toFixed(1)} KiB` : `${(count / 1024 ** 2).toFixed(1)} MiB`
}

/** `1 record`, `2 records`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

/** Lines of aligned columns under a heading; cells are escaped, null is a dash, the last column is not padded. */
export function table(heading: readonly string[], rows: readonly (readonly (string | null)[])[]): string[] {
  const lines = [heading, ...rows].map((row) => row.map((cell) => escapeText(cell ?? '-')))
  const widths = heading.map((_, column) => lines.reduce((width, line) => Math.max(width, (line[column] ?? '').length), 0))
  return lines.map((line) => line.map((cell, column) => (column === line.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('  '))
}

const MAX_DATE_MS = 8.64e15

/** A folder with a configuration, and what can be asked of the service that runs in it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

/** Retention must take segments during the suite, but never before a client has sent again what was not acknowledged. */
export const MAX_AGE_MS = 12_000
export const HTTP_CONCURRENCY = 8
export const MAX_ATTEMPTS = 3

/** Makes a folder whose configuration has small files, short waits and three routes. */
export function makeScene(receiverUrl: string, overrides: Readonly<Record<string, unknown>> = {}): string {
  const cwd = mkdtempSync(join(tmpdir(), 'trunkline-crash-'))
  const retry = { maxAttempts: MAX_ATTEMPTS, baseMs: 5, maxMs: 40 }
  const config = {
    http: { port: 0 },
    log: { segmentBytes: 64 * 1024, maxAgeMs: MAX_AGE_MS, minFreeBytes: 0 },
    routes: {
      archive: { from: 'earliest', retry, sink: { type: 'file', dir: 'archive', maxFileBytes: 96 * 1024 } },
      ordered: { from: 'earliest', retry, order: { by: 'conversation' }, sink: { type: 'file', dir: 'ordered', maxFileBytes: 256 * 1024 } },
      crm: { from: 'earliest', retry, sink: { type: 'http', url: receiverUrl, timeoutMs: 400, concurrency: HTTP_CONCURRENCY } },
    },
    ...overrides,
  }
  writeFileSync(join(cwd, 'trunkline.config.json'), JSON.stringify(config, null, 2))
  return cwd
}

export const removeScene = (cwd: string): void => rmSync(cwd, { recursive: true, force: true })

export type RouteStats = {
  readonly lag: number
  readonly inFlight: number
  readonly retrying: number
  readonly held: number
  readonly counts: Readonly<Record<string, number>>
}

export type Stats = {
  readonly log: { readonly firstSeq: number; readonly nextSeq: number }
  readonly routes: Readonly<Record<string, RouteStats>>
}

export async function getJson<T>(url: string): Promise<T> {
  const response = await fetch(url)
  if (!response.ok) throw new Error(`GET ${url}: ${response.status} ${await response.text()}`)
  return (await response.json()) as T
}

export async function redrive(url: string): Promise<number> {
  const response = await fetch(`${url}/v1/deadletters/redrive`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  })
  return ((await response.json()) as { redriven: number }).redriven
}

/** Resolves when no route has anything left to do; rejects with what is left after `withinMs`. */
export async function settled(url: string, withinMs: number): Promise<Stats> {
  const endAtMs = Date.now() + withinMs
  for (;;) {
    const stats = await getJson<Stats>(`${url}/v1/stats`)
    const busy = Object.values(stats.routes).some((r) => r.lag + r.inFlight + r.retrying + r.held > 0)
    if (!busy) return stats
    if (Date.now() > endAtMs) throw new Error(`still busy after ${withinMs} ms: ${JSON.stringify(stats.routes)}`)
    await pause(20)
  }
}

/** All pages of the quarantine, as texts. */
export async function quarantined(url: string): Promise<string[]> {
  const texts: string[] = []
  for (let cursor = ''; ;) {
    type Page = { readonly records: readonly { readonly bytesBase64: string }[]; readonly cursor: string | null }
    const page = await getJson<Page>(`${url}/v1/quarantine?limit=200${cursor}`)
    for (const record of page.records) texts.push(Buffer.from(record.bytesBase64, 'base64').toString())
    if (page.cursor === null) return texts
    cursor = `&cursor=${page.cursor}`
  }
}

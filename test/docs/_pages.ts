/**
 * The pages of the documentation and what is fenced in them. An HTML comment directly above a block says how the test
 * is to treat it; a reader of the page does not see it:
 *
 *   not run: REASON             only for what this machine cannot do; the test lists them and bounds their number
 *   terminal NAME: until "TEXT" keeps running in a terminal of its own, which has printed TEXT before the next block
 *   again until "TEXT"          what a person would look at again: run until the output has TEXT
 *   exits N                     ends with this exit code, rather than 0
 *   file: PATH                  the content of a file that later blocks use
 *   warns CODE                 a configuration that loads with this warning
 *   format: NAME                a record that decode gives this format
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT: string = fileURLToPath(new URL('../..', import.meta.url))

export type Block = {
  /** Path of the page in the tree. */
  readonly page: string
  /** Line of the opening fence. */
  readonly line: number
  readonly lang: string
  readonly text: string
  readonly notes: readonly string[]
}

/** Paths of all pages, README first. */
export function pages(): readonly string[] {
  const inDocs = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
  return ['README.md', 'CONTRIBUTING.md', ...inDocs.filter((path) => path.endsWith('.md')).map((path) => join('docs', path))].toSorted(
    (a, b) => (a === 'README.md' ? -1 : b === 'README.md' ? 1 : a.localeCompare(b)),
  )
}

/** Pages whose blocks are run. The other pages have at most snippets. */
export function pagesThatRun(): readonly string[] {
  return pages().filter(
    (page) => page === 'README.md' || /^docs\/(?:tutorial|how-to)\//.test(page) || page === 'docs/reference/http-api.md',
  )
}

export function read(page: string): string {
  return readFileSync(join(ROOT, page), 'utf8')
}

/** The fenced blocks of a page, in order. */
export function blocksOf(page: string): readonly Block[] {
  const lines = read(page).split('\n')
  const blocks: Block[] = []
  let notes: string[] = []
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? ''
    const note = /^<!-- (.+) -->$/.exec(line)
    const fence = /^(`{3,})(\w*)$/.exec(line)
    if (note !== null) notes.push(note[1] ?? '')
    else if (fence !== null) {
      const end = lines.indexOf(fence[1] ?? '', at + 1)
      if (end < 0) throw new Error(`${page}:${at + 1}: a block that does not end`)
      blocks.push({ page, line: at + 1, lang: fence[2] ?? '', text: `${lines.slice(at + 1, end).join('\n')}\n`, notes })
      at = end
      notes = []
    } else if (line.trim() !== '') notes = []
  }
  return blocks
}

export const placeOf = (block: Block): string => `${block.page}:${block.line}`

/** What stands behind a note such as `not run`, or null without one. */
export function noteOf(block: Block, name: string): string | null {
  const note = block.notes.find((text) => text.startsWith(name))
  return note === undefined ? null : note.slice(name.length).replace(/^:/, '').trim()
}

/** Name of the file a snippet is, from its note or its first line; null when it is none. */
export function fileOf(block: Block): string | null {
  return noteOf(block, 'file:') ?? /^\/\/ ([\w./-]+\.\w+)\n/.exec(block.text)?.[1] ?? null
}

/** A page's links to other pages and files, without those into the web: target path in the tree, and the anchor. */
export function linksOf(page: string): readonly { readonly target: string; readonly anchor: string | null }[] {
  const prose = read(page)
    .replaceAll(/^(`{3,})[^\n]*\n[\s\S]*?\n\1$/gm, '')
    .replaceAll(/`[^`\n]*`/g, '')
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link = '']) => {
    if (/^[a-z]+:/.test(link)) return []
    const [path = '', anchor = null] = link.split('#')
    const target = path === '' ? page : relative(ROOT, join(ROOT, page, '..', path))
    return [{ target, anchor }]
  })
}

/** The anchors of a page's headings, as GitHub makes them. */
export function anchorsOf(page: string): ReadonlySet<string> {
  const headings = read(page).matchAll(/^#{1,6} (.+)$/gm)
  return new Set(
    [...headings].map(([, text = '']) =>
      text
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}

/**
 * The rules of docs/architecture.md: reads its tables and finds what in a tree of sources breaks them. Pure, so that
 * the rules themselves can be tried on planted sources.
 */
import { posix } from 'node:path'
import { importsOf, scan } from './_source.ts'

/** Something importable: a path below src, a `node:` module (or `node:*`) or a package; types only when so marked. */
export type Allowed = { readonly name: string; readonly typesOnly: boolean }
export type Rules = {
  /** Path below src -> what it may import beside its own folder; the longest path that fits a file is its row. */
  readonly imports: ReadonlyMap<string, readonly Allowed[]>
  /** Path below src -> what it must not load, through however many imports. */
  readonly unreachable: ReadonlyMap<string, readonly string[]>
  /** Words in code -> the paths below src they are allowed in. */
  readonly words: ReadonlyMap<string, readonly string[]>
}
/** Path below src -> text. */
export type Sources = ReadonlyMap<string, string>

/** Reads the three tables, each between `<!-- NAME:begin -->` and `<!-- NAME:end -->`. */
export function readRules(page: string): Rules {
  return {
    imports: new Map([...rows(page, 'imports')].map(([path, cell]) => [path, allowedIn(cell)])),
    unreachable: new Map([...rows(page, 'unreachable')].map(([path, cell]) => [path, names(cell)])),
    words: new Map([...rows(page, 'words')].map(([word, cell]) => [word, names(cell)])),
  }
}

/** Everything that breaks a rule, one sentence each: file, what it does, the rule. */
export function breaches(rules: Rules, sources: Sources): string[] {
  const code = new Map([...sources].filter(([file]) => !file.endsWith('.test.ts')))
  return [...rowBreaches(rules, code), ...importBreaches(rules, code), ...closureBreaches(rules, code), ...wordBreaches(rules, code)]
}

function rowBreaches(rules: Rules, sources: Sources): string[] {
  const stale = [...rules.imports.keys(), ...rules.unreachable.keys()].filter(
    (path) => ![...sources.keys()].some((file) => within(file, path)),
  )
  const missing = new Set([...sources.keys()].filter((file) => rowOf(rules, file) === null).map((file) => file.split('/')[0]))
  return [
    ...stale.map((path) => `docs/architecture.md has a row for src/${path}, which does not exist`),
    ...[...missing].map((path) => `src/${path} has no row in the import table of docs/architecture.md`),
  ]
}

function importBreaches(rules: Rules, sources: Sources): string[] {
  return [...sources].flatMap(([file, text]) => {
    const row = rowOf(rules, file)
    if (row === null) return []
    const allowed = rules.imports.get(row) ?? []
    return importsOf(text).flatMap(({ specifier, type, line }) => {
      const target = targetOf(file, specifier)
      if (!isModule(target) && within(target, row)) return []
      const entry = allowed.filter(({ name }) => covers(name, target))
      if (entry.some(({ typesOnly }) => type || !typesOnly)) return []
      const list = allowed.map(({ name, typesOnly }) => (typesOnly ? `${name} (types)` : name)).join(', ')
      const what =
        entry.length > 0 ? `may import only types of ${entry[0]?.name}` : `may import only its own folder${list === '' ? '' : `, ${list}`}`
      return [`src/${file}:${line} imports '${specifier}': ${row} ${what}`]
    })
  })
}

function closureBreaches(rules: Rules, sources: Sources): string[] {
  return [...rules.unreachable].flatMap(([start, forbidden]) => {
    const found = new Map<string, string>()
    // Where each file was reached from, to show the way.
    const cameFrom = new Map<string, string | null>([...sources.keys()].filter((file) => within(file, start)).map((file) => [file, null]))
    for (const file of cameFrom.keys()) {
      for (const { specifier, type } of importsOf(sources.get(file) ?? '')) {
        if (type) continue
        const target = targetOf(file, specifier)
        const rule = forbidden.find((name) => covers(name, target))
        if (rule !== undefined) found.set(rule, [...wayTo(file, cameFrom), target].join(' > '))
        else if (sources.has(target) && !cameFrom.has(target)) cameFrom.set(target, file)
      }
    }
    return [...found].map(([rule, way]) => `src/${start} must not load ${rule}, but does: ${way}`)
  })
}

function wordBreaches(rules: Rules, sources: Sources): string[] {
  return [...sources].flatMap(([file, text]) => {
    const { code } = scan(text)
    return [...rules.words].flatMap(([word, allowed]) => {
      if (allowed.some((path) => within(file, path))) return []
      return [...code.matchAll(wordPattern(word))].map(
        (match) => `src/${file}:${code.slice(0, match.index).split('\n').length} uses ${word}, which is only for ${allowed.join(', ')}`,
      )
    })
  })
}

/** The word as code: not the end of a longer name, and no method of another object (`request.setTimeout` is fine). */
function wordPattern(word: string): RegExp {
  const text = word.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll(/\\([.()])/g, String.raw`\s*\$1\s*`)
  return new RegExp(String.raw`(?<![\w$]|(?<!\bglobalThis)\.\s*)${text}${/\w$/.test(word) ? String.raw`(?![\w$])` : ''}`, 'g')
}

function wayTo(file: string, cameFrom: ReadonlyMap<string, string | null>): string[] {
  const before = cameFrom.get(file)
  return before === null || before === undefined ? [file] : [...wayTo(before, cameFrom), file]
}

function targetOf(file: string, specifier: string): string {
  return specifier.startsWith('.') ? posix.join(posix.dirname(file), specifier) : specifier
}

function isModule(target: string): boolean {
  return target.startsWith('node:')
}

function covers(name: string, target: string): boolean {
  return name === 'node:*' ? isModule(target) : within(target, name)
}

function within(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`)
}

function rowOf(rules: Rules, file: string): string | null {
  const fitting = [...rules.imports.keys()].filter((path) => within(file, path))
  return fitting.toSorted((a, b) => b.length - a.length)[0] ?? null
}

function rows(page: string, table: string): Map<string, string> {
  const between = new RegExp(`<!-- ${table}:begin -->([^]*?)<!-- ${table}:end -->`).exec(page)?.[1]
  if (between === undefined) throw new Error(`docs/architecture.md has no table between <!-- ${table}:begin --> and <!-- ${table}:end -->`)
  const cells = between.split('\n').map((line) => line.split('|').slice(1, -1))
  return new Map(cells.flatMap(([name = '', cell = '']) => names(name).map((path): [string, string] => [path, cell])))
}

function names(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '')
}

function allowedIn(cell: string): Allowed[] {
  return [...cell.matchAll(/`([^`]+)`( \(types\))?/g)].map((match) => ({ name: match[1] ?? '', typesOnly: match[2] !== undefined }))
}

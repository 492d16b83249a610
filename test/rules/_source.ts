/**
 * Reads TypeScript as far as the rules need it: the code without comments and without what stands in strings, and the
 * modules it imports. TypeScript 7 has no parser to call, and plain text search would see examples in comments.
 */

/** One module that a file imports. `type` imports are erased: nothing of them is there at run time. */
export type ImportLine = { readonly specifier: string; readonly type: boolean; readonly line: number }

/** Code of the same length and with the same lines as the source: comments and the inside of strings are blanks. */
export type Scanned = { readonly code: string; readonly strings: ReadonlyMap<number, string> }

/** Separates code from comments, strings, templates (their `${...}` is code) and regular expressions. */
export function scan(source: string): Scanned {
  const out = source.split('')
  const strings = new Map<number, string>()
  const blank = (from: number, to: number): void => {
    for (let i = from; i < to; i++) if (out[i] !== '\n') out[i] = ' '
  }
  // For each open template: how many `{` of its `${` are open.
  const templates: number[] = []
  let i = 0
  while (i < source.length) {
    const two = source.slice(i, i + 2)
    const char = source[i]
    let end = i + 1
    if (two === '//' || (i === 0 && two === '#!')) {
      end = endOr(source.indexOf('\n', i), source.length)
      blank(i, end)
    } else if (two === '/*') {
      end = endOr(source.indexOf('*/', i + 2), source.length - 2) + 2
      blank(i, end)
    } else if (char === "'" || char === '"') {
      end = closing(source, i + 1, char)
      strings.set(i, source.slice(i + 1, end - 1))
      blank(i + 1, end - 1)
    } else if (char === '`' || (char === '}' && templates.at(-1) === 0)) {
      if (char === '}') templates.pop()
      end = templatePart(source, i + 1)
      const opens = source[end - 1] === '{'
      if (opens) templates.push(0)
      blank(i + 1, end - (opens ? 2 : 1))
    } else if (char === '/' && startsRegExp(source.slice(0, i), out)) {
      end = closingRegExp(source, i + 1)
      blank(i + 1, end - 1)
    } else if (char === '{' && templates.length > 0) templates[templates.length - 1]! += 1
    else if (char === '}' && templates.length > 0) templates[templates.length - 1]! -= 1
    i = end
  }
  return { code: out.join(''), strings }
}

/** Every import, export-from, literal `import()` and `new Worker(new URL('./x', ...))` of a file, by line. */
export function importsOf(source: string): ImportLine[] {
  const { code, strings } = scan(source)
  const found: ImportLine[] = []
  for (const match of code.matchAll(/(?<![\w$.])(import|export)\s+(type\b(?!\s+from\b)\s*)?(?:[\w$*\s{},]+?\sfrom\s*|(?=['"]))(['"])/g)) {
    if (match[1] === 'export' && !/\bfrom\s*['"]$/.test(match[0])) continue
    add(match.index + match[0].length - 1, match[2] !== undefined)
  }
  for (const match of code.matchAll(/(?<![\w$.])import\s*\(\s*(['"])/g)) add(match.index + match[0].length - 1, false)
  for (const match of code.matchAll(/\bnew Worker\(\s*new URL\(\s*['"]/g)) add(match.index + match[0].length - 1, false)
  return found.sort((a, b) => a.line - b.line)

  function add(at: number, type: boolean): void {
    found.push({ specifier: strings.get(at) ?? '', type, line: code.slice(0, at).split('\n').length })
  }
}

function closing(source: string, from: number, quote: string): number {
  for (let i = from; i < source.length; i++) {
    if (source[i] === '\\') i += 1
    else if (source[i] === quote || source[i] === '\n') return i + 1
  }
  return source.length
}

/** Past the closing backtick, or past the `${` that comes first. */
function templatePart(source: string, from: number): number {
  for (let i = from; i < source.length; i++) {
    if (source[i] === '\\') i += 1
    else if (source[i] === '`') return i + 1
    else if (source[i] === '$' && source[i + 1] === '{') return i + 2
  }
  return source.length
}

function closingRegExp(source: string, from: number): number {
  let inClass = false
  for (let i = from; i < source.length; i++) {
    const char = source[i]
    if (char === '\\') i += 1
    else if (char === '[') inClass = true
    else if (char === ']') inClass = false
    else if ((char === '/' && !inClass) || char === '\n') return i + 1
  }
  return source.length
}

/** After an operand a `/` divides; after an operator, an opening bracket or a keyword it starts a regular expression. */
function startsRegExp(before: string, out: readonly string[]): boolean {
  let end = before.length
  while (end > 0 && /\s/.test(out[end - 1] ?? '')) end -= 1
  const code = out.slice(Math.max(0, end - 12), end).join('')
  if (/(?:^|[^\w$.])(?:return|typeof|case|in|of|delete|void|throw|new|else|do|await|yield)$/.test(code)) return true
  return code === '' || !/[\w$)\]}'"`]$/.test(code)
}

function endOr(index: number, fallback: number): number {
  return index < 0 ? fallback : index
}

/**
 * What comes from outside may be shown only through here. Escaped text holds nothing that moves the cursor, changes
 * colours, starts a new line or turns the reading direction round; everything else stays as it is. It is for reading:
 * who needs the exact text uses `--json`.
 */

/** Escapes one field for a terminal or a line of text. */
export function escapeText(text: string): string {
  return text.replace(UNSAFE, (character) => SHORT.get(character) ?? escapeUnits(character))
}

/** A template whose inserted values are escaped: `safe`${topic} from ${source}``. */
export function safe(parts: TemplateStringsArray, ...values: readonly unknown[]): string {
  return parts.reduce((text, part, index) => `${text}${escapeText(String(values[index - 1]))}${part}`)
}

/** Escapes text of several lines, which stay lines. Only for text whose line breaks are our own. */
export function escapeLines(text: string): string {
  return text.split('\n').map(escapeText).join('\n')
}

/** JSON for output. On a terminal it holds no control or direction characters either; both forms mean the same value. */
export function toJson(value: unknown, options: { readonly terminal: boolean; readonly indent?: number }): string {
  const json = JSON.stringify(value, null, options.indent) ?? 'null'
  // Outside its strings JSON has no unsafe character but the line breaks of the indentation.
  return options.terminal ? json.replace(UNSAFE, (character) => (character === '\n' ? character : escapeUnits(character))) : json
}

/** Cuts text to a number of characters, with an ellipsis in place of the rest. */
export function clip(text: string, width: number): string {
  const characters = [...text]
  return characters.length <= width ? text : `${characters.slice(0, Math.max(0, width - 1)).join('')}…`
}

/** C0, DEL and C1 controls, marks that turn the direction, line separators, invisible tags and halves of characters. */
const UNSAFE =
  // eslint-disable-next-line no-control-regex
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]|\p{Surrogate}/gu

const SHORT: ReadonlyMap<string, string> = new Map([
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
])

/** As JSON writes it: one `\uXXXX` for each UTF-16 unit. */
function escapeUnits(character: string): string {
  let escaped = ''
  for (let at = 0; at < character.length; at++) escaped += `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`
  return escaped
}

/**
 * What user code prints, as lines: bounded in length and in number a second (the rest is counted), with every character that could
 * steer a terminal written out. What V8 writes when the memory is used up is one line: addresses in its own code help nobody.
 */
export type OutputStream = 'stdout' | 'stderr'

export type LineOutputOptions = {
  readonly nowMs: () => number
  readonly line: (stream: OutputStream, text: string) => void
}

const MAX_LINES_PER_SECOND = 50
const MAX_LINE_CHARS = 1_000
/** How V8's last words begin, the one line of them that says something, and how many there may be. */
const LAST_WORDS = '<--- Last few GCs --->'
const WHAT_HAPPENED = 'FATAL ERROR: '
const MAX_LAST_WORDS = 100

export class LineOutput {
  readonly #options: LineOutputOptions
  readonly #begun: Record<OutputStream, { text: string; cut: boolean }> = {
    stdout: { text: '', cut: false },
    stderr: { text: '', cut: false },
  }
  #secondAtMs = -Infinity
  #said = 0
  #left = 0
  /** Lines of V8's last words that may still come. */
  #lastWords = 0

  constructor(options: LineOutputOptions) {
    this.#options = options
  }

  push(stream: OutputStream, chunk: string): void {
    let from = 0
    for (let end = chunk.indexOf('\n'); end >= 0; end = chunk.indexOf('\n', from)) {
      this.#add(stream, chunk, from, end)
      this.#say(stream)
      from = end + 1
    }
    this.#add(stream, chunk, from, chunk.length)
  }

  /** Says what has no line end yet, and how much was left out. */
  end(): void {
    for (const stream of ['stdout', 'stderr'] as const) if (this.#begun[stream].text !== '') this.#say(stream)
    this.#sayLeft()
  }

  #add(stream: OutputStream, chunk: string, from: number, to: number): void {
    const begun = this.#begun[stream]
    const room = MAX_LINE_CHARS - begun.text.length
    begun.cut ||= to - from > room
    begun.text += chunk.slice(from, Math.min(to, from + room))
  }

  #say(stream: OutputStream): void {
    const { text, cut } = this.#begun[stream]
    this.#begun[stream] = { text: '', cut: false }
    if (text.trim() === '' || this.#isLastWords(stream, text)) return
    const nowMs = this.#options.nowMs()
    if (nowMs - this.#secondAtMs >= 1_000) {
      this.#sayLeft()
      this.#secondAtMs = nowMs
      this.#said = 0
    }
    if (this.#said >= MAX_LINES_PER_SECOND) this.#left++
    else {
      this.#said++
      this.#options.line(stream, `${visible(text)}${cut ? '…' : ''}`)
    }
  }

  #isLastWords(stream: OutputStream, text: string): boolean {
    if (stream === 'stdout') return false
    if (text === LAST_WORDS) this.#lastWords = MAX_LAST_WORDS
    if (this.#lastWords === 0) return false
    this.#lastWords--
    return !text.startsWith(WHAT_HAPPENED)
  }

  #sayLeft(): void {
    if (this.#left > 0) this.#options.line('stderr', `… ${this.#left} lines left out: more than ${MAX_LINES_PER_SECOND} a second`)
    this.#left = 0
  }
}

/** Tabs and line ends become spaces; what a terminal would act on, or not show, is written as its number. */
function visible(text: string): string {
  return text
    .replaceAll(/[\t\r]+/g, ' ')
    .trimEnd()
    .replaceAll(/[\p{C}\u2028\u2029]/gu, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`)
}

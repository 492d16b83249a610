import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { handClock } from '../testing/hand-clock.ts'
import { LineOutput } from './function-output.ts'

function output(): { readonly output: LineOutput; readonly lines: string[]; readonly pass: (ms: number) => void } {
  const clock = handClock()
  const lines: string[] = []
  return {
    output: new LineOutput({ nowMs: clock.nowMs, line: (stream, text) => lines.push(`${stream} ${text}`) }),
    lines,
    pass: clock.pass,
  }
}

test('lines are whole however the chunks are cut, each stream its own', () => {
  const at = output()
  at.output.push('stdout', 'one')
  at.output.push('stderr', 'err\n')
  at.output.push('stdout', ' line\r\n\n  \ntwo\nthr')
  at.output.end()
  assert.deepEqual(at.lines, ['stderr err', 'stdout one line', 'stdout two', 'stdout thr'])
})

test('at most 50 lines a second; how many were left out is said', () => {
  const at = output()
  at.output.push('stdout', 'x\n'.repeat(60))
  assert.equal(at.lines.length, 50)
  at.pass(999)
  at.output.push('stdout', 'x\n')
  assert.equal(at.lines.length, 50)
  at.pass(1)
  at.output.push('stdout', 'again\n')
  assert.deepEqual(at.lines.slice(50), ['stderr … 11 lines left out: more than 50 a second', 'stdout again'])
})

test('whatever is printed, a line is bounded and steers no terminal', () => {
  const at = output()
  at.output.push('stdout', 'x'.repeat(3_000))
  at.output.push('stdout', 'y\n\u001b[2J\u202e\tz\n')
  assert.deepEqual(at.lines, [`stdout ${'x'.repeat(1_000)}…`, 'stdout \\u{1b}[2J\\u{202e} z'])
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' })), (chunks) => {
      const { output: made, lines } = output()
      for (const chunk of chunks) made.push('stdout', chunk)
      made.end()
      return lines.length <= 51 && lines.every((line) => !/[\p{C}\u2028\u2029]/u.test(line))
    }),
  )
})

test("V8's trace of a full heap is one line, and what looks like its beginning hides no more than it may have", () => {
  const at = output()
  const trace = [
    '',
    '<--- Last few GCs --->',
    '',
    '[9:0x3fa46000]   893 ms: Mark-Compact 126.4 (128.4) -> 126.0 MB',
    '',
    '<--- JS stacktrace --->',
    '',
  ]
  const error = 'FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory'
  const native = ['----- Native stack trace -----', '', ' 1: 0x931db0  [node]', ' 2: 0x75968e node::OOMErrorHandler(char const*) [node]']
  at.output.push('stderr', ['mine', ...trace, error, ...native, ''].join('\n'))
  at.output.push('stdout', 'also mine\n')
  assert.deepEqual(at.lines, ['stderr mine', `stderr ${error}`, 'stdout also mine'])
  at.output.push('stderr', 'x\n'.repeat(100))
  at.output.push('stderr', 'mine again\n')
  assert.equal(at.lines.at(-1), 'stderr mine again')
})

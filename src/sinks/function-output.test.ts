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

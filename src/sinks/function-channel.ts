/**
 * The service's end of the two pipes to a process of a function sink. Not Node's own channel between processes: user code can reach
 * that, and Node throws in the service on what it does not expect there. Here only an answer that is owed is heard. Anything else (bytes
 * that are no frame, a frame above 64 KiB, an answer to nothing, a pipe that was closed) breaks the channel, once, and is read no
 * further: a process can neither end the service nor fill its memory.
 */
import type { Readable, Writable } from 'node:stream'
import { FrameReader, frameOf, partsOf } from './function-frames.ts'
import { readMessage, type FromProcess, type ToProcess } from './function-messages.ts'

export type FunctionChannelEvents = {
  readonly message: (message: FromProcess) => void
  /** The process said what it must not; in words. */
  readonly broken: (how: string) => void
  /** A pipe is at its end: the process is ending, or has closed it. */
  readonly closed: () => void
}

const MAX_FRAME_BYTES = 64 * 1024

export class FunctionChannel {
  readonly #calls: Readable & Writable
  readonly #answers: Readable
  readonly #events: FunctionChannelEvents
  readonly #reader = new FrameReader(MAX_FRAME_BYTES)
  #loaded = false
  #lastWords = false
  readonly #owesAnswer = new Set<number>()
  readonly #owesHeard = new Set<number>()
  /** Calls that have not said that they wait. */
  readonly #mayWait = new Set<number>()
  #over = false

  constructor(calls: Readable & Writable, answers: Readable, events: FunctionChannelEvents) {
    this.#calls = calls
    this.#answers = answers
    this.#events = events
    answers.on('data', (chunk: Buffer) => this.#read(chunk))
    calls.on('data', () => this.#break('it wrote where it reads'))
    for (const pipe of [calls, answers]) {
      pipe.on('end', () => this.#closed())
      // What cannot be written to a process that is ending is no loss: its end is reported anyway.
      pipe.on('error', () => this.#closed())
    }
  }

  send(message: ToProcess): void {
    if (this.#over || !this.#calls.writable) return
    if (message.type === 'abort') {
      this.#owesHeard.add(message.id)
      this.#calls.write(frameOf(JSON.stringify(message)))
    } else {
      this.#owesAnswer.add(message.id)
      this.#mayWait.add(message.id)
      const { raw, ...event } = message.event
      this.#calls.write(frameOf(JSON.stringify({ ...message, event }), raw))
    }
  }

  /** Hears and sends nothing more. */
  close(): void {
    this.#over = true
    this.#calls.destroy()
    this.#answers.destroy()
  }

  #read(chunk: Buffer): void {
    const frames = this.#reader.push(chunk)
    for (const content of frames ?? []) {
      if (this.#over) return
      const message = messageIn(content)
      if (message === null || !this.#expects(message)) return this.#break('what it wrote is no answer')
      this.#events.message(message)
    }
    if (frames === null) this.#break('what it wrote is too long')
  }

  #expects(message: FromProcess): boolean {
    switch (message.type) {
      case 'loaded':
      case 'refused': {
        const expected = !this.#loaded
        this.#loaded = true
        return expected
      }
      case 'done':
      case 'threw':
        this.#mayWait.delete(message.id)
        return this.#owesAnswer.delete(message.id)
      case 'heard':
        return this.#owesHeard.delete(message.id)
      case 'waits':
        return this.#mayWait.delete(message.id)
      case 'crashed':
      case 'exiting': {
        const expected = !this.#lastWords
        this.#lastWords = true
        return expected
      }
    }
  }

  #break(how: string): void {
    if (this.#over) return
    this.close()
    this.#events.broken(how)
  }

  #closed(): void {
    if (!this.#over) this.#events.closed()
  }
}

function messageIn(content: Buffer): FromProcess | null {
  try {
    return readMessage(JSON.parse(partsOf(content).text))
  } catch {
    return null
  }
}

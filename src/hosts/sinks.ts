/** From a route's sink as configured to the sink itself, for hosts that can have every kind. */
import type { RouteConfig } from '../config/config.ts'
import type { Beside } from '../event/document.ts'
import type { Event } from '../event/event.ts'
import { fileSink } from '../sinks/file.ts'
import { handedEvent } from '../sinks/function-event.ts'
import { functionSink } from '../sinks/function.ts'
import type { Sink } from '../sinks/sink.ts'
import { createHttpSink, type HttpSinkDeps } from './http-sink.ts'

/** What a sink needs beyond its configuration. */
export type SinkDeps = HttpSinkDeps & {
  /** The route's name: the stem of the file sink's file names. */
  readonly name: string
  /** What the route adds to the facts of an event; `document` has it already. */
  readonly beside: (event: Event) => Beside
  readonly warn: (code: string, message: string) => void
  /** A line that user code printed. */
  readonly output: (line: string) => void
}

/** The sink of a route, not yet opened. Throws, with a code, for what can never work. */
export function createSink(sink: RouteConfig['sink'], deps: SinkDeps): Sink {
  switch (sink.type) {
    case 'http':
      return createHttpSink(sink, deps)
    case 'file': {
      const { clock, document, name, warn } = deps
      return fileSink({
        dir: sink.dir,
        name,
        maxFileBytes: sink.maxFileBytes,
        document,
        clock,
        warn: (message) => warn('sink.warning', message),
      })
    }
    case 'function': {
      const { clock, beside } = deps
      const { module, timeoutMs, calls, maxMemoryBytes } = sink
      return functionSink({
        module,
        export: sink.export,
        timeoutMs,
        concurrency: calls,
        maxMemoryBytes,
        clock,
        handed: (event) => handedEvent(event, beside(event)),
        warn: deps.warn,
        onOutput: (_stream, line) => deps.output(line),
      })
    }
  }
}

/** From a route's sink as configured to the sink itself, for hosts that can have every kind. */
import type { RouteConfig } from '../config/config.ts'
import { TrunklineError } from '../errors.ts'
import { fileSink } from '../sinks/file.ts'
import type { Sink } from '../sinks/sink.ts'
import { createHttpSink, type HttpSinkDeps } from './http-sink.ts'

/** What a sink needs beyond its configuration. */
export type SinkDeps = HttpSinkDeps & {
  /** The route's name: the stem of the file sink's file names. */
  readonly name: string
  readonly warn: (message: string) => void
}

/** The sink of a route, not yet opened. Throws, with a code, for what can never work. */
export function createSink(sink: RouteConfig['sink'], deps: SinkDeps): Sink {
  switch (sink.type) {
    case 'http':
      return createHttpSink(sink, deps)
    case 'file': {
      const { clock, document, name, warn } = deps
      return fileSink({ dir: sink.dir, name, maxFileBytes: sink.maxFileBytes, document, clock, warn })
    }
    case 'function':
      throw new TrunklineError('sink.function_missing', 'sinks of type function are not wired yet', 'Use another sink.')
  }
}

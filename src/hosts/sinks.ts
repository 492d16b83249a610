/**
 * From a route's sink as configured to the sink itself, for every host. `createHttpSink` stands alone, so that a bundle
 * that uses only it contains no file sink.
 */
import type { FileSinkConfig, HttpSinkConfig } from '../config/config.ts'
import type { Event } from '../event/event.ts'
import type { Clock } from '../pipeline/clock.ts'
import { fileSink } from '../sinks/file.ts'
import { httpSink } from '../sinks/http.ts'
import type { Sink } from '../sinks/sink.ts'

/** What a sink needs beyond its configuration. */
export type SinkDeps = {
  readonly clock: Clock
  /** What is delivered of an event, normally `toDocument`. */
  readonly document: (event: Event) => Uint8Array
  /** The route's name: the stem of the file sink's file names. */
  readonly name: string
  /** Trunkline's version, for `User-Agent`. */
  readonly version: string
  readonly warn: (message: string) => void
}

/** The sink of a route, not yet opened. Throws, with a code, for what can never work. */
export function createSink(sink: HttpSinkConfig | FileSinkConfig, deps: SinkDeps): Sink {
  switch (sink.type) {
    case 'http':
      return createHttpSink(sink, deps)
    case 'file': {
      const { clock, document, name, warn } = deps
      return fileSink({ dir: sink.dir, name, maxFileBytes: sink.maxFileBytes, document, clock, warn })
    }
  }
}

/** The HTTP sink of a route, not yet opened. */
export function createHttpSink(sink: HttpSinkConfig, deps: Pick<SinkDeps, 'clock' | 'document' | 'version'>): Sink {
  const { url, headers, timeoutMs, concurrency } = sink
  const { clock, document, version } = deps
  return httpSink({ url, headers, timeoutMs, concurrency, clock, document, version })
}

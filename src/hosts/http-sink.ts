/**
 * From a route's HTTP sink as configured to the sink itself. Apart from the other kinds, so that a function that posts
 * to an address carries no code that writes files.
 */
import type { HttpSinkConfig } from '../config/config.ts'
import type { Event } from '../event/event.ts'
import type { Clock } from '../pipeline/clock.ts'
import { httpSink } from '../sinks/http.ts'
import type { Sink } from '../sinks/sink.ts'

/** What the sink needs beyond its configuration. */
export type HttpSinkDeps = {
  readonly clock: Clock
  /** What is delivered of an event, normally `toDocument`. */
  readonly document: (event: Event) => Uint8Array
  /** Trunkline's version, for `User-Agent`. */
  readonly version: string
}

/** The HTTP sink of a route, not yet opened. Throws, with a code, for what can never work. */
export function createHttpSink(sink: HttpSinkConfig, deps: HttpSinkDeps): Sink {
  const { url, headers, timeoutMs, concurrency } = sink
  const { clock, document, version } = deps
  return httpSink({ url, headers, timeoutMs, concurrency, clock, document, version })
}

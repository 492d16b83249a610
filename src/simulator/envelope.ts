/**
 * Puts an emission into the shape it travels in. Made by hand: the envelope is the same text round every body, and the
 * ids in it follow from the number of the emission, so a copy has the bytes of the original.
 */
import { Seed } from './model/chance.ts'
import { isoOf, isoSecondsOf } from './model/iso.ts'
import type { Emission } from './simulation.ts'

export type Format = 'eventbridge' | 'notification'

/** One record, without a line break. `republished`: sent again by Genesys, under an envelope id of its own. */
export type Writer = (emission: Emission, bodyText: string, republished: boolean) => string

/** The writer of a format. `source` is the partner event source; the seed makes the envelope ids. */
export function writerOf(format: Format, options: { readonly seed: string; readonly source: string }): Writer {
  if (format === 'notification') return (emission, bodyText) => `${headOf(emission, bodyText)}}`
  const ids = Seed.of(`trunkline ${options.seed}`).branch('envelope')
  const again = ids.branch('republished')
  const source = JSON.stringify(options.source)
  return (emission, bodyText, republished) =>
    `{"version":"0","id":"${(republished ? again : ids).uuid(emission.number)}","detail-type":"${emission.topic}","source":${source}` +
    `,"account":"123456789012","time":"${isoSecondsOf(emission.publishedAtMs)}","region":"us-east-1","resources":[]` +
    `,"detail":${headOf(emission, bodyText)},"timestamp":"${isoOf(emission.publishedAtMs)}"}}`
}

/** What both formats have in common, but for the last bracket. */
function headOf(emission: Emission, bodyText: string): string {
  return `{"topicName":"${emission.topicName}","version":"2","eventBody":${bodyText},"metadata":{"CorrelationId":"${emission.correlationId}"}`
}

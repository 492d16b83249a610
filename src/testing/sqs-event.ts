import { envelopeOf, eventOf } from './event-of.ts'

/** A message as Lambda gets it from a queue; complete, so that nothing is right only because a field was missing. */
export type SqsMessage = {
  readonly messageId: string
  readonly receiptHandle: string
  readonly body: string
  readonly attributes: Readonly<
    Record<'ApproximateReceiveCount' | 'SentTimestamp' | 'SenderId' | 'ApproximateFirstReceiveTimestamp', string>
  >
  readonly messageAttributes: Readonly<Record<string, never>>
  readonly md5OfBody: string
  readonly eventSource: 'aws:sqs'
  readonly eventSourceARN: string
  readonly awsRegion: string
}

const SENT_AT_MS = 1_774_000_000_000

/** A message with this body, as it is on its `receiveCount`th delivery. */
export function sqsMessage(messageId: string, body: string, receiveCount = 1): SqsMessage {
  return {
    messageId,
    receiptHandle: `receipt-${messageId}-${receiveCount}`,
    body,
    attributes: {
      ApproximateReceiveCount: String(receiveCount),
      SentTimestamp: String(SENT_AT_MS),
      SenderId: 'AIDAEXAMPLE',
      ApproximateFirstReceiveTimestamp: String(SENT_AT_MS + 5),
    },
    messageAttributes: {},
    md5OfBody: '',
    eventSource: 'aws:sqs',
    eventSourceARN: 'arn:aws:sqs:us-east-1:123456789012:trunkline-crm',
    awsRegion: 'us-east-1',
  }
}

/** The text of the `index`th event, as EventBridge puts it into a queue. */
export function bodyOf(index: number, topic?: string): string {
  return new TextDecoder().decode(envelopeOf(eventOf(topic === undefined ? {} : { topic }, index), index))
}

/** The `index`th event's conversation, by which a receiver can tell it. */
export function conversationOf(index: number): string {
  return eventOf({}, index).conversationId ?? ''
}

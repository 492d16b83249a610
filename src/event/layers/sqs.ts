/**
 * SQS messages in the three shapes they are met in: the event a Lambda function gets (`{Records: [...]}`), one record of it, and what
 * ReceiveMessage answers (`{Messages: [...]}` or one message, with capital letters). Only messages of SQS: records of S3, SNS or
 * Kinesis look similar and are left alone.
 */
import { isObject, objectAt, stringAt } from '../json.ts'
import type { JsonObject } from '../json.ts'

/** Body and text attributes of one message, or why it has none. */
export type SqsMessage =
  | { readonly ok: true; readonly body: string; readonly attributes: ReadonlyMap<string, string> }
  | { readonly ok: false; readonly record: unknown; readonly message: string }

/** The messages in an object, or null when it is no SQS shape. */
export function sqsMessagesIn(object: JsonObject): readonly SqsMessage[] | null {
  const records = object['Records'] ?? object['Messages']
  if (Array.isArray(records)) return records.some(isSqsRecord) ? records.map(readSqsMessage) : null
  return isSqsRecord(object) ? [readSqsMessage(object)] : null
}

/** Reads one message, of a Lambda event or of ReceiveMessage. */
export function readSqsMessage(record: unknown): SqsMessage {
  if (!isObject(record)) return { ok: false, record, message: 'The SQS record is not an object.' }
  const body = record['body'] ?? record['Body']
  if (typeof body !== 'string') return { ok: false, record, message: 'The SQS record has no text body, so there is no event in it.' }
  if (!body.isWellFormed()) return { ok: false, record, message: 'The body of the SQS record is not well-formed Unicode.' }
  const attributes = objectAt(record, 'messageAttributes') ?? objectAt(record, 'MessageAttributes')
  return { ok: true, body, attributes: attributes === null ? NO_ATTRIBUTES : textAttributes(attributes) }
}

const NO_ATTRIBUTES: ReadonlyMap<string, string> = new Map()
const LAMBDA_FIELDS: readonly string[] = ['eventSource', 'receiptHandle', 'messageAttributes', 'attributes', 'md5OfBody']

function isSqsRecord(record: unknown): boolean {
  if (!isObject(record)) return false
  if (record['eventSource'] !== undefined) return record['eventSource'] === 'aws:sqs'
  if (stringAt(record, 'MessageId') !== null) return record['Body'] !== undefined
  return stringAt(record, 'messageId') !== null && record['body'] !== undefined && LAMBDA_FIELDS.some((name) => record[name] !== undefined)
}

function textAttributes(attributes: JsonObject): ReadonlyMap<string, string> {
  const texts = new Map<string, string>()
  for (const name of Object.keys(attributes)) {
    const attribute = objectAt(attributes, name)
    const text = attribute === null ? null : (stringAt(attribute, 'stringValue') ?? stringAt(attribute, 'StringValue'))
    if (text !== null) texts.set(name, text)
  }
  return texts
}

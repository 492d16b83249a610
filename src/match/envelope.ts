/** What paths begin with, in patterns and in limits: the keys of the canonical envelope, and of its `detail` where Genesys wrote it. */

/** The likeliest to be meant first. */
export const ENVELOPE_KEYS: readonly string[] = [
  'detail-type',
  'detail',
  'source',
  'account',
  'region',
  'time',
  'id',
  'version',
  'resources',
]
export const DETAIL_KEYS: readonly string[] = ['eventBody', 'topicName', 'timestamp', 'version', 'metadata']

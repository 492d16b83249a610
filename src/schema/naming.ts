/**
 * What of an event may stand in a report. Names of fields and values of enums are words of Genesys's; everything else may
 * be somebody's data, and keys are data too: participant attributes carry telephone numbers and names in them. So only
 * what looks like an identifier is shown, and never what looks like a number or an id.
 */

/** Stands for a key that may not be shown. */
export const HIDDEN = '{key}'

/** Whether a text may be shown: an identifier of at most 64 characters without a number or an id in it. */
export function looksLikeName(text: string): boolean {
  return NAME.test(text) && !NUMBER_OR_ID.test(text)
}

/** A field as it may be shown. */
export function shownField(name: string): string {
  return looksLikeName(name) ? name : HIDDEN
}

/** A topic as it may be shown: known ones are, of others the segments that look like names. Bounded. */
export function shownTopic(topic: string, known: boolean): string {
  if (known) return topic
  return topic
    .slice(0, MAX_TOPIC)
    .split('.')
    .map((segment) => (segment === '{id}' || looksLikeName(segment) ? segment : HIDDEN))
    .join('.')
}

/** A path made longer by a part; cut where it grows beyond all use. */
export function joinPath(path: string, part: string): string {
  const longer = path === '' ? part : part === '[]' ? `${path}[]` : `${path}.${part}`
  return longer.length <= MAX_PATH ? longer : `${longer.slice(0, MAX_PATH - 1).replace(/…$/, '')}…`
}

const NAME = /^[A-Za-z_$][A-Za-z0-9_$-]{0,63}$/
/** Five digits in a row, the beginning of a UUID, or hexadecimal as long as a hash. */
const NUMBER_OR_ID = /\d{5}|[0-9a-f]{8}-[0-9a-f]{4}|[0-9a-f]{16}/i
const MAX_TOPIC = 200
const MAX_PATH = 256

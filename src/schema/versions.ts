/** How versions of a topic's schema are ordered. */

/** What a version begins with that was made of the content, where nothing said one. */
export const OF_CONTENT = 'content-'

/** Orders versions as people count: 9 before 10, 2026-02-01 before 2026-11-20; one made of the content is older than any that was said. */
export function compareVersions(a: string, b: string): number {
  const said = Number(!a.startsWith(OF_CONTENT)) - Number(!b.startsWith(OF_CONTENT))
  const order = said === 0 ? COUNTING.compare(a, b) : said
  return order === 0 ? (a < b ? -1 : Number(a > b)) : order
}

const COUNTING = new Intl.Collator('en', { numeric: true })

import { join } from 'node:path'
import { compileTopics, topicPatternProblem } from '../pipeline/topic-pattern.ts'
import { checkChangesTogether } from './changes.ts'
import { isId } from './names.ts'
import { inFile, overrideOf, report, warn, type Reading } from './reading.ts'

/** What no single option can tell: options that contradict each other, topics that match nothing, the default route. */

/** The routes of a configuration that names none: everything, from the beginning, to files. */
export function defaultRoutes(reading: Reading): Record<string, unknown> {
  const dataDir = reading.values.get('dataDir')
  return {
    out: { from: 'earliest', sink: { type: 'file', dir: join(typeof dataDir === 'string' ? dataDir : reading.context.cwd, 'out') } },
  }
}

/** Checks the options that were acceptable one by one; others are left out, as they have an error already. */
export function checkTogether(reading: Reading): void {
  notAbove('http.headersTimeoutMs', 'http.requestTimeoutMs', reading)
  notAbove('log.segmentBytes', 'log.maxBytes', reading)
  checkGenesys(reading)
  checkChangesTogether(reading)
  const folders = new Map<unknown, string>()
  for (const [path, value] of reading.values) {
    if (path.endsWith('.retry.baseMs')) notAbove(path, path.replace(/baseMs$/, 'maxMs'), reading)
    if (path.endsWith('.sink.dir')) ownFolder(path, value, folders, reading)
  }
}

/** What calls the API of Genesys Cloud needs to know where it is and who asks. */
function checkGenesys(reading: Reading): void {
  const topics = reading.values.get('genesys.notifications.topics')
  if (topics !== undefined) checkTopics(topics, 'genesys.notifications.topics', reading)
  for (const kind of ['users', 'queues']) checkIds(`genesys.notifications.${kind}`, reading)
  const named = [...reading.values].find(([path, value]) => path.endsWith('.names') && value === true)
  const region = reading.values.get('genesys.region')
  if (typeof region === 'string') checkPlace('genesys.region', { region }, reading)
  const baseUrl = reading.values.get('genesys.baseUrl')
  if (typeof baseUrl === 'string') checkPlace('genesys.baseUrl', { baseUrl }, reading)
  const isSet = (path: string): boolean => (reading.origins.get(path) ?? 'default') !== 'default'
  const because = topics !== undefined ? 'genesys.notifications' : named?.[0]
  // A client that is wrong has an error already.
  const isGiven = (path: string): boolean => isSet(path) || reading.errors.some((error) => error.path === path)
  if (!isGiven('genesys.clientId') || !isGiven('genesys.clientSecret')) for (const path of reading.values.keys()) checkNames(path, reading)
  if (because === undefined) return
  const missing = ['genesys.clientId', 'genesys.clientSecret'].filter((path) => !isSet(path))
  if (!isSet('genesys.region') && !isSet('genesys.baseUrl')) missing.unshift('genesys.region')
  for (const path of missing) {
    const hint = `Give it, or take ${because} out, which calls the API of Genesys Cloud.`
    report(reading, inFile(path, undefined), 'config.missing_value', 'is missing.', hint)
  }
}

/** Names are looked up in Genesys Cloud. What a route takes cannot be said without; a limit goes by the default then. */
function checkNames(path: string, reading: Reading): void {
  const value = reading.values.get(path)
  const refuse = (place: string, name: string): void =>
    report(
      reading,
      inFile(place, name),
      'config.names_need_genesys',
      `is ${JSON.stringify(name.slice(0, 80))}, which is no id, and names are looked up only where genesys is configured.`,
      'Write the id (a UUID), or set genesys.region, genesys.clientId and genesys.clientSecret.',
    )
  if (/^routes\.[^.]+\.(?:queues|divisions)$/.test(path) && Array.isArray(value)) {
    const index = value.findIndex((entry) => typeof entry === 'string' && !isId(entry))
    if (index >= 0) refuse(`${path}[${index}]`, String(value[index]))
    return
  }
  const [, limit, key] = /^(routes\.[^.]+\.limit)\.(limits|priority\.of|priority\.rules)$/.exec(path) ?? []
  if (limit === undefined || typeof value !== 'object' || value === null) return
  if (key === 'limits' && reading.values.get(`${limit}.per`) !== 'queue') return
  const isRules = key === 'priority.rules' && Array.isArray(value) && value.length > 0
  const name = isRules ? null : Object.keys(value).find((one) => !isId(one))
  if (name === undefined || (key === 'priority.rules' && !isRules)) return
  const what = name === null ? 'is made from the directory of queues' : `has ${JSON.stringify(name.slice(0, 80))}, which is no id`
  warn(
    reading,
    path,
    'config.names_not_looked_up',
    `${path} ${what}, and names are looked up only where genesys is configured.`,
    'Set genesys.region, genesys.clientId and genesys.clientSecret, or write ids. Events that carry this text as their id are meant as it is.',
  )
}

function checkPlace(path: string, place: { readonly region: string } | { readonly baseUrl: string }, reading: Reading): void {
  const problem = reading.context.placeProblem?.(place) ?? null
  if (problem === null) return
  const where = reading.origins.get(path) === 'file' ? null : overrideOf(path, reading.context)
  const given = where === null ? inFile(path, place) : { path, given: where }
  report(reading, given, 'config.bad_value', `is not acceptable: ${problem.message}`, problem.hint)
}

/** Names look like ids to a person, and to Genesys like ids of nothing. */
function checkIds(path: string, reading: Reading): void {
  const ids = reading.values.get(path)
  if (!Array.isArray(ids)) return
  for (const [index, id] of ids.entries()) {
    if (typeof id !== 'string' || id === '*' || isId(id)) continue
    const place = `${path}[${index}]`
    const hint = 'Write the id, as `trunkline queues` and the address line of Genesys Cloud Admin show it, or "*" for all.'
    warn(
      reading,
      place,
      'config.not_an_id',
      `${place} is ${JSON.stringify(id)}, which is no id: ids are UUIDs, and names are not looked up.`,
      hint,
    )
  }
}

/** A backlog is limited by age or by size; both at once would leave open which event goes first. */
export function checkBacklog(backlog: unknown, path: string, reading: Reading): void {
  if (typeof backlog !== 'object' || backlog === null) return
  const limits = Object.entries(backlog).filter(([key, value]) => (key === 'maxAgeMs' || key === 'maxBytes') && value !== undefined)
  if (limits.length === 1) return
  const message = limits.length === 0 ? 'has neither maxAgeMs nor maxBytes.' : 'has both maxAgeMs and maxBytes.'
  report(reading, inFile(path, backlog), 'config.bad_value', message, 'Give one of the two, or null to drop nothing.')
}

/** Checks the topic entries of a route. */
export function checkTopics(topics: unknown, path: string, reading: Reading): void {
  if (!Array.isArray(topics)) return
  if (topics.length === 0) {
    report(
      reading,
      inFile(path, topics),
      'config.bad_value',
      'is empty, so the route would get nothing.',
      'Remove the key for all topics, or set paused: true.',
    )
  }
  for (const [index, topic] of topics.entries()) {
    if (typeof topic === 'string') checkTopic(topic, `${path}[${index}]`, reading)
  }
}

function checkTopic(topic: string, path: string, reading: Reading): void {
  const problem = topicPatternProblem(topic)
  if (problem !== null) {
    report(reading, inFile(path, topic), 'config.bad_topic', `${problem}.`, nearestHint(topic, reading))
    return
  }
  if (isKnown(topic, reading)) return
  const template = templateOf(topic, reading)
  const shown = JSON.stringify(topic)
  if (compileTopics([topic], reading.context.knownTopics).unmatched.length > 0) {
    const hint = template === null ? nearestHint(topic, reading) : `Write the template: "${template}".`
    report(reading, inFile(path, topic), 'config.bad_topic', `is ${shown}, which fits none of the known topics.`, hint)
    return
  }
  if (template === null) {
    warn(
      reading,
      path,
      'config.topic_unknown',
      `${path} is ${shown}, which Genesys does not list; only events with such a topic will match.`,
      nearestHint(topic, reading),
    )
  } else {
    const message = `${path} is ${shown}, which has a real id in it; topics are templates, so no event will match.`
    warn(reading, path, 'config.topic_with_id', message, `Write the template: "${template}". Routes cannot be narrowed to one id by topic.`)
  }
}

/** The template meant by a topic with real ids: only when putting `{id}` in their place makes it a known one. */
function templateOf(topic: string, reading: Reading): string | null {
  const template = reading.context.topicTemplateOf(topic)
  return template !== topic && isKnown(template, reading) ? template : null
}

function isKnown(topic: string, reading: Reading): boolean {
  const { exact, prefixes } = compileTopics([topic], reading.context.knownTopics)
  return reading.context.knownTopics.some((known) => exact.includes(known) || prefixes.some((prefix) => known.startsWith(prefix)))
}

function nearestHint(topic: string, reading: Reading): string {
  const nearest = reading.context.nearestTopics(topic, 3)
  return nearest.length === 0 ? 'See `trunkline topics` for the known ones.' : `Nearest known topics: ${nearest.join(', ')}.`
}

function notAbove(lower: string, upper: string, reading: Reading): void {
  const low = reading.values.get(lower)
  const high = reading.values.get(upper)
  if (typeof low !== 'number' || typeof high !== 'number' || low <= high) return
  // The one that the user set is the one to name.
  const path = reading.origins.get(lower) === 'default' ? upper : lower
  const hint = `Lower ${lower} or raise ${upper}.`
  report(
    reading,
    inFile(path, null),
    'config.bad_value',
    `contradicts another option: ${lower} is ${low}, above ${upper}, which is ${high}.`,
    hint,
  )
}

/** Two writers in one folder would cut each other's files back. */
function ownFolder(path: string, folder: unknown, folders: Map<unknown, string>, reading: Reading): void {
  const other = folders.get(folder) ?? (folder === reading.values.get('dataDir') ? 'dataDir' : undefined)
  if (other === undefined) folders.set(folder, path)
  else report(reading, inFile(path, folder), 'config.bad_value', `is the same folder as ${other}.`, 'Give each sink a folder of its own.')
}

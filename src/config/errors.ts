/**
 * What is wrong with a configuration, as data: which file, which place in it, and the fix. Nothing here prints or
 * throws; every code is listed once, and the reference page is made from that list.
 */

/** Every code of this folder with its meaning. Those marked as warnings never stop a start. */
export const CONFIG_CODES = {
  'config.not_found': 'The configuration file that was asked for does not exist.',
  'config.unreadable': 'The configuration file exists and cannot be read.',
  'config.syntax': 'The file is no valid TypeScript, JavaScript or JSON.',
  'config.missing_module': 'The file imports a module or a name that does not exist.',
  'config.threw': 'The file stopped with an error of its own while it was loaded.',
  'config.no_default_export': 'The file exports no configuration: `export default defineConfig({ ... })` is missing.',
  'config.not_an_object': 'The file exports something else than an object, such as a function or a promise.',
  'config.unknown_key': 'A key that Trunkline does not know; the hint names the nearest one it does.',
  'config.wrong_type': 'A value of another type than the option has.',
  'config.bad_value': 'A value outside what the option allows, or two options that contradict each other.',
  'config.missing_value': 'An option that has no default is absent.',
  'config.bad_name': 'A route name outside `[a-z][a-z0-9-]{0,40}`.',
  'config.bad_url': 'A sink address that is no http or https URL, or carries credentials.',
  'config.missing_secret': 'An `env:NAME` or `file:PATH` that names nothing that can be read.',
  'config.missing_file':
    'Only of `config check`: a file that an option names does not exist. A service starts, and the events of that route wait for it.',
  'config.bad_topic': 'A topic entry that can match nothing.',
  'config.bad_pattern': 'An event pattern that has no meaning; the message has the place in it.',
  'config.pattern_limit': 'Warning: an event pattern that holds here and that AWS would refuse as a rule.',
  'config.topic_unknown': 'Warning: a topic that Genesys does not list, as on a bus of your own; only events that carry it match.',
  'config.topic_with_id': 'Warning: a topic with a real id where topics have the literal `{id}`; no event matches it.',
  'config.match_unknown':
    'Warning: a key, field, value or medium in `match` or `mediaTypes` that no event known of has, so that it takes nothing. Of `config check`, and of a service when it starts.',
  'config.names_need_genesys': 'A route filters by the name of a queue or division, and no OAuth client is configured to look it up.',
  'config.names_not_looked_up':
    'Warning: a limit has keys that are no ids, and no OAuth client is configured to look them up as names; they are taken as they are.',
  'config.not_an_id': 'Warning: something else than an id where Genesys Cloud has ids (UUIDs), such as a name; it brings nothing.',
  'config.no_routes': 'Warning: no route is configured, so accepted events are kept and go nowhere.',
  'config.limit_cuts_pairs': 'Warning: a limit that drops single events is for topics of which each beginning has an end.',
  'config.several_files': 'Warning: more than one configuration file lies in the folder; the first is used.',
  'config.unknown_env': 'Warning: an environment variable that looks like a misspelt one of Trunkline.',
} as const

export type ConfigErrorCode = keyof typeof CONFIG_CODES

export type ConfigError = {
  readonly code: ConfigErrorCode
  /** Absolute path of the configuration file; null when the value came from the environment or a flag, or there is no file. */
  readonly file: string | null
  /** Where in the file, as `routes.crm.sink.url`; empty when the file as a whole is meant. */
  readonly path: string
  readonly message: string
  /** What to do about it. */
  readonly hint: string
}

/** Errors or warnings as text for a terminal: two lines each, where and what, then the fix. */
export function formatConfigErrors(errors: readonly ConfigError[]): string {
  return errors.map((error) => `${placeOf(error)}${error.message} [${error.code}]\n  ${error.hint}\n`).join('')
}

/** What stands before the message on a line: the file, and the place in it where the message does not begin with it. */
export function placeOf({ file, path, message }: Pick<ConfigError, 'file' | 'path' | 'message'>): string {
  const place = message.startsWith(`${path} `) ? '' : path
  return [file, place].map((part) => (part === null || part === '' ? '' : `${part}: `)).join('')
}

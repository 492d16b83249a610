/** `trunkline topics`: the topics Genesys documents, with what Trunkline knows of each. Needs no service and no network. */
import { Command } from 'commander'
import { note, print, printJson, type Context } from '../context.ts'
import { FAILED } from '../failure.ts'
import { count, shortOf, table } from '../format.ts'
import { withExamples, withJson } from '../options.ts'
import { safe } from '../text.ts'

type Options = { readonly json?: true }

export function topicsCommand(context: Context): Command {
  const command = new Command('topics')
    .description(
      'list the topics of Genesys Cloud and that of finished conversations: what each is about, its time, and whether there is a schema of its body',
    )
    .argument('[text]', 'only topics with this text in them, also as lists show it; or the topic of an event, with real ids')
    .action((text: string | undefined, options: Options) => listTopics(context, text, options))
  return withExamples(withJson(command), 'trunkline topics', 'trunkline topics presence', 'trunkline topics v2.users.8a7c.presence --json')
}

async function listTopics(context: Context, text: string | undefined, options: Options): Promise<void> {
  const [{ KNOWN_TOPICS }, { FINISHED_TOPIC }, { topicFactsOf }, { nearestTopics, templateOf }, { SHIPPED }] = await Promise.all([
    import('../../event/known-topics.ts'),
    import('../../event/changes.ts'),
    import('../../event/topic-facts.ts'),
    import('../../event/topics.ts'),
    import('../../schema/generated/shipped-validators.ts'),
  ])
  const wanted = text?.toLowerCase() ?? ''
  const all = [...KNOWN_TOPICS, FINISHED_TOPIC]
  const found = all.filter((topic) => [topic, shortOf(topic)].some((name) => name.toLowerCase().includes(wanted)))
  const template = text === undefined || found.length > 0 ? null : templateOf(text)
  if (template?.known === true) found.push(template.topic)
  const topics = found.map((topic) => {
    const { ids, time } = topicFactsOf(topic)
    return { topic, about: ids.params, time: time.fields.map((path) => path.join('.')), newest: time.newest, schema: SHIPPED.has(topic) }
  })
  const nearest = topics.length === 0 && text !== undefined ? nearestTopics(text, 5, all) : []
  if (topics.length === 0) context.exitCode = FAILED
  if (options.json === true) return printJson(context, { topics, nearest })
  if (topics.length === 0) {
    note(context, safe`no topic has ${JSON.stringify(text)} in it; the nearest are:`)
    for (const topic of nearest) note(context, `  ${topic}`)
    return
  }
  const rows = topics.map(({ topic, about, time, newest, schema }) => [
    topic,
    about.join(', ') || '-',
    schema ? 'yes' : '-',
    `${newest ? 'newest of ' : ''}${time.join(', ')}` || '-',
  ])
  for (const line of table(['topic', 'ids', 'schema', 'time'], rows)) print(context, line)
  note(context, `${count(topics.length, 'topic')} of ${all.length}`)
}

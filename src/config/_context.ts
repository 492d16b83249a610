/** Where the configurations of tests are resolved: a project that knows the topics of Genesys, has no variables and reads no file. */
import assert from 'node:assert/strict'
import { KNOWN_TOPICS } from '../event/known-topics.ts'
import { nearestTopics, templateOf } from '../event/topics.ts'
import type { ConfigContext } from './reading.ts'

export function context(more: Partial<ConfigContext> = {}): ConfigContext {
  return {
    file: '/proj/trunkline.config.ts',
    cwd: '/proj',
    env: {},
    readFile: () => assert.fail('reads no file'),
    knownTopics: KNOWN_TOPICS,
    nearestTopics,
    topicTemplateOf: (name) => templateOf(name).topic,
    ...more,
  }
}

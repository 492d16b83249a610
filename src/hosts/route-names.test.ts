import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RouteConfig } from '../config/config.ts'
import { resolveConfig } from '../config/resolve.ts'
import { KNOWN_TOPICS } from '../event/known-topics.ts'
import { nearestTopics, templateOf } from '../event/topics.ts'
import type { DirectoryKind, DirectoryThing } from '../genesys/directory.ts'
import { RouteNames } from './route-names.ts'

const ID = '2f9e3a52-9d0e-4c38-8a53-000000000001'
const OTHER = '2f9e3a52-9d0e-4c38-8a53-000000000002'

type Lists = Partial<Record<DirectoryKind, readonly DirectoryThing[]>>

/** A route with this limit and the directory, whose lists are read when `read` is called. */
function scene(limit: object): { names: RouteNames; warned: string[]; read: (lists: Lists) => void } {
  const warned: string[] = []
  let lists: Lists = {}
  let told = (): void => undefined
  const names = new RouteNames({
    directory: {
      things: (kind) => lists[kind] ?? null,
      nameOf: (kind, id) => {
        const found = lists[kind]?.find((thing) => thing.id === id)
        return found === undefined ? null : { name: found.name, stale: false }
      },
      onRead: (listener) => (told = listener),
    },
    ledger: { revise: () => true },
    limits: { configure: () => undefined },
    clock: { nowMs: () => 0 },
    warn: (code, message) => warned.push(`${code} ${message}`),
    info: () => undefined,
  })
  names.resolve(routeOf(limit))
  const read = (next: Lists): void => {
    lists = next
    told()
  }
  return { names, warned, read }
}

function routeOf(limit: object): RouteConfig {
  const result = resolveConfig(
    {
      genesys: { region: 'mypurecloud.com', clientId: 'a', clientSecret: 'b' },
      routes: { crm: { limit, sink: { type: 'file', dir: 'out' } } },
    },
    {
      file: null,
      cwd: '/',
      env: {},
      readFile: () => assert.fail('no file is read'),
      knownTopics: KNOWN_TOPICS,
      nearestTopics,
      topicTemplateOf: (name) => templateOf(name).topic,
    },
  )
  const route = 'config' in result ? result.config.routes[0] : undefined
  return route ?? assert.fail(JSON.stringify(result))
}

const LISTS: Lists = {
  queues: [
    { id: ID, name: 'Noisy', divisionId: OTHER },
    { id: OTHER, name: 'Sales', divisionId: OTHER },
  ],
  divisions: [{ id: OTHER, name: 'Home', divisionId: null }],
}

test('names of a limit that nothing has are warned of once, when the lists have been read', () => {
  const { warned, read } = scene({
    per: 'queue',
    perSecond: 5,
    overflow: 'drop',
    limits: { Salez: { perSecond: 1 }, Sales: { perSecond: 2 } },
    priority: { of: { Biling: 3 }, rules: [{ queue: 'Nothing*', priority: 1 }], dropBelow: 1 },
  })
  assert.deepEqual(warned, [], 'not read yet')
  read(LISTS)
  assert.deepEqual(
    warned.map((line) => /^limit\.name_unknown route crm: [^"]*"([^"]+)" is not known/.exec(line)?.[1]),
    ['Salez', 'Biling', 'queue Nothing*'],
  )
  assert.match(warned[0] ?? '', /nearest: "Sales"/)
  read(LISTS)
  assert.equal(warned.length, 3)
})

test('the key of a limit: a name, an id, or what nothing is called; before the lists are read nothing is refused', () => {
  const { names, read } = scene({ per: 'queue', perSecond: 5, overflow: 'drop', limits: { mine: { perSecond: 1 } } })
  assert.deepEqual(names.keyNamed('crm', 'Nosy'), { ids: [], nearest: null })
  assert.match(names.keyTold('crm', 'Nosy').note ?? '', /have not been read yet/)
  read(LISTS)
  assert.deepEqual(names.keyNamed('crm', 'Noisy'), { ids: [ID], nearest: null })
  assert.equal(names.keyNamed('crm', 'Nosy').nearest?.[0], 'Noisy')
  for (const accepted of ['mine', ID.replace('1', '3')]) assert.deepEqual(names.keyNamed('crm', accepted), { ids: [], nearest: null })
  assert.deepEqual(names.keyTold('crm', ID), { keyName: 'Noisy', note: null })
  assert.match(names.keyTold('crm', ID.replace(/1$/, '3')).note ?? '', /none of the queues .* has this id/)
  assert.deepEqual(names.keyTold('crm', null), {})
})

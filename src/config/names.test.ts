import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { KNOWN_TOPICS } from '../event/known-topics.ts'
import { compile } from '../match/matcher.ts'
import { eventOf } from '../testing/event-of.ts'
import { context } from './_context.ts'
import type { LimitConfig, RouteConfig } from './config.ts'
import { type NamedThings, NOTHING_NAMED, placesOfNames, resolveNames, shownUse } from './names.ts'
import { resolveConfig, type ConfigResult } from './resolve.ts'

const uuid = (n: number): string => `2f9e3a52-9d0e-4c38-8a53-${String(n).padStart(12, '0')}`
const SINK = { type: 'file', dir: 'out' }
const GENESYS = { region: 'mypurecloud.de', clientId: 'a', clientSecret: 'b' }
const ACD_END = 'v2.detail.events.conversation.{id}.acd.end'

function resolved(route: object, genesys: object | null = GENESYS): ConfigResult {
  return resolveConfig({ ...(genesys === null ? {} : { genesys }), routes: { crm: { sink: SINK, ...route } } }, context())
}

function routeOf(route: object): RouteConfig {
  const result = resolved(route)
  assert.ok('config' in result, JSON.stringify(result))
  return result.config.routes[0] ?? assert.fail()
}

const codes = (result: ConfigResult): string[] =>
  [...('errors' in result ? result.errors : []), ...result.warnings].map(({ code, path }) => `${code} ${path}`)

const THINGS: NamedThings = {
  queues: [
    { id: uuid(1), name: 'Sales', divisionId: uuid(10) },
    { id: uuid(2), name: 'VIP Sales', divisionId: uuid(10) },
    { id: uuid(3), name: 'Support', divisionId: uuid(11) },
    { id: uuid(4), name: 'Sales', divisionId: uuid(11) },
  ],
  divisions: [
    { id: uuid(10), name: 'Home' },
    { id: uuid(11), name: 'Support' },
  ],
}

test('a name is all things that have it, an id is itself, and what they came to is told', () => {
  const route = routeOf({ topics: [ACD_END], queues: ['Sales', uuid(9)], divisions: ['Home'] })
  assert.deepEqual(placesOfNames(route), ['queues', 'divisions'])
  const { route: byIds, names, unknown, isRead } = resolveNames(route, THINGS, KNOWN_TOPICS)
  const written = routeOf({ topics: [ACD_END], queues: [uuid(1), uuid(4), uuid(9)], divisions: [uuid(10)] })
  assert.deepEqual(byIds.patterns, written.patterns)
  assert.deepEqual([unknown, isRead], [[], true])
  assert.deepEqual(names.map(shownUse), [`queues: "Sales" is ${uuid(1)}, ${uuid(4)}`, `divisions: "Home" is ${uuid(10)}`])
  assert.deepEqual(routeOf({ queues: ['Sales'], otherTopics: 'drop', changes: null }).queues, ['Sales'], 'what was written stays')
  const changes = resolveNames(routeOf({ changes: 'conversation', queues: ['VIP Sales'] }), THINGS, KNOWN_TOPICS)
  assert.deepEqual(changes.route.patterns, [{ detail: { eventBody: { queueVisits: { queueId: [uuid(2)] } } } }])
})

test('a name that nothing has is told with the nearest; before the list was read it is not held against it', () => {
  const route = routeOf({ topics: [ACD_END], queues: ['Sals', 'Support'] })
  const { unknown, isRead } = resolveNames(route, THINGS, KNOWN_TOPICS)
  assert.deepEqual(
    unknown.map(({ name, nearest }) => [name, nearest]),
    [['Sals', ['Sales', 'VIP Sales', 'Support']]],
  )
  assert.equal(isRead, true)
  const unread = resolveNames(route, NOTHING_NAMED, KNOWN_TOPICS)
  assert.deepEqual([unread.unknown.length, unread.isRead], [2, false])
  assert.equal(resolveNames(route, { ...THINGS, divisions: null }, KNOWN_TOPICS).isRead, true, 'divisions are not asked for')
})

test('a limit by names: rates and priorities by queue, by division, by rule; an id says more than a name, the unknown is limited as the rest', () => {
  const limit = (more: object): LimitConfig => {
    const route = routeOf({ limit: { per: 'queue', perSecond: 5, ...more } })
    return resolveNames(route, THINGS, KNOWN_TOPICS).route.limit ?? assert.fail()
  }
  const rates = limit({ limits: { Sales: { perSecond: 50 }, [uuid(4)]: null, Nobody: { perSecond: 1 } } }).limits
  assert.deepEqual([rates[uuid(1)], rates[uuid(4)], rates['Nobody']], [{ perSecond: 50, burst: null }, null, { perSecond: 1, burst: null }])
  const of = { [uuid(3)]: 1, Support: 7, Home: 4, 'VIP Sales': 9 }
  const rules = [
    { queue: 'VIP*', priority: 8 },
    { queue: 'S*', division: 'Support', priority: 3 },
    { division: uuid(11), priority: 2 },
  ]
  const numbers = (priority: object): (number | undefined)[] => {
    const found = limit({ priority: { dropBelow: 0, ...priority } }).priority?.of ?? {}
    return [1, 2, 3, 4].map((n) => found[uuid(n)])
  }
  assert.deepEqual(numbers({ of }), [4, 9, 1, undefined], 'a queue goes before the division of its name')
  assert.deepEqual(numbers({ rules }), [undefined, 8, 3, 3])
  assert.deepEqual(numbers({ of, rules }), [4, 9, 1, 3])
  assert.deepEqual(numbers({ of: { [uuid(11)]: 6 } }), [undefined, undefined, 6, 6], 'the id of a division')
  const route = routeOf({
    limit: {
      per: 'queue',
      perSecond: 5,
      limits: { Sals: null },
      priority: { of: {}, rules: [{ queue: 'X*', priority: 1 }], dropBelow: 2 },
    },
  })
  const { names, unknown } = resolveNames(route, THINGS, KNOWN_TOPICS)
  assert.deepEqual(
    [names.map(({ place, ids }) => [place, ids.length]), unknown],
    [
      [
        ['limit.limits', 0],
        ['limit.priority.rules', 0],
      ],
      [],
    ],
  )
  const topics = routeOf({ limit: { per: 'topic', perSecond: 5, limits: { 'v2.users.{id}.presence': null } } })
  assert.deepEqual(placesOfNames(topics), [], 'topics have no names')
})

test('names need a directory to look them up: an error where a route cannot do without, a warning where a limit can', () => {
  assert.deepEqual(codes(resolved({ topics: [ACD_END], queues: [uuid(1), 'Sales'] }, null)), [
    'config.names_need_genesys routes.crm.queues[1]',
  ])
  assert.deepEqual(codes(resolved({ topics: [ACD_END], divisions: ['Home'] }, null)), ['config.names_need_genesys routes.crm.divisions[0]'])
  const limit = (more: object): object => ({ limit: { per: 'queue', perSecond: 5, ...more } })
  assert.deepEqual(codes(resolved(limit({ limits: { Sales: null } }), null)), ['config.names_not_looked_up routes.crm.limit.limits'])
  assert.deepEqual(codes(resolved(limit({ priority: { rules: [{ queue: 'VIP*', priority: 1 }], dropBelow: 2 } }), null)), [
    'config.names_not_looked_up routes.crm.limit.priority.rules',
  ])
  assert.deepEqual(codes(resolved(limit({ limits: { [uuid(1)]: null } }), null)), [])
  assert.deepEqual(codes(resolved(limit({ limits: { Sales: null } }))), [])
})

test('rules that make no sense are refused at their place', () => {
  const at = (rules: unknown): string[] => codes(resolved({ limit: { per: 'queue', perSecond: 5, priority: { rules, dropBelow: 2 } } }))
  const place = 'routes.crm.limit.priority'
  assert.deepEqual(at('VIP*'), [`config.wrong_type ${place}.rules`])
  assert.deepEqual(at(['VIP*']), [`config.wrong_type ${place}.rules[0]`])
  assert.deepEqual(at([{ priority: 5 }]), [`config.bad_value ${place}.rules[0]`])
  assert.deepEqual(at([{ queue: 'a', priority: '5' }]), [`config.bad_value ${place}.rules[0].priority`])
  assert.deepEqual(at([{ queue: 'a' }]), [`config.missing_value ${place}.rules[0].priority`])
  assert.deepEqual(at([{ queue: 'a**', priority: 5 }]), [`config.bad_value ${place}.rules[0].queue`])
  assert.deepEqual(at([{ queue: 'a', priority: 5, name: 'x' }]), [`config.unknown_key ${place}.rules[0].name`])
  assert.deepEqual(at([]), [`config.bad_value ${place}`])
})

test('property: a route by names takes what the route by their ids takes', () => {
  const queueNames = ['Sales', 'Support', 'VIP "A" \\ 1', '*', '__proto__', 'constructor', 'ü😀']
  const world = fc.array(fc.record({ name: fc.constantFrom(...queueNames), division: fc.integer({ min: 10, max: 12 }) }), { maxLength: 12 })
  const asked = fc.array(fc.oneof(fc.constantFrom(...queueNames), fc.integer({ min: 1, max: 12 }).map(uuid)), {
    minLength: 1,
    maxLength: 4,
  })
  fc.assert(
    fc.property(
      world,
      asked,
      fc.option(fc.constantFrom('Home', 'North')),
      fc.constantFrom('pass', 'drop'),
      (queues, entries, division, otherTopics) => {
        const things: NamedThings = {
          queues: queues.map(({ name, division: d }, i) => ({ id: uuid(i + 1), name, divisionId: uuid(d) })),
          divisions: [
            { id: uuid(10), name: 'Home' },
            { id: uuid(11), name: 'North' },
            { id: uuid(12), name: 'North' },
          ],
        }
        const found = entries.flatMap((entry) => {
          const named = things.queues!.filter(({ name }) => name === entry).map(({ id }) => id)
          return entry.startsWith('2f9e3a52') ? [entry] : named
        })
        const ids = [...new Set(found)]
        const divisions = division === null ? null : things.divisions!.filter(({ name }) => name === division).map(({ id }) => id)
        const { route, unknown } = resolveNames(
          routeOf({ queues: entries, otherTopics, ...(division === null ? {} : { divisions: [division] }) }),
          things,
          KNOWN_TOPICS,
        )
        const allKnown = entries.every((entry) => entry.startsWith('2f9e3a52') || things.queues!.some(({ name }) => name === entry))
        assert.equal(unknown.length === 0, allKnown)
        if (!allKnown) return
        const written = routeOf({ queues: ids, otherTopics, ...(divisions === null ? {} : { divisions }) })
        const [byName, byId] = [route, written].map(({ patterns }) => patterns.map(compile))
        for (let n = 1; n <= 12; n++) {
          const event = eventOf({ queueId: uuid(n) }, n)
          assert.equal(
            byName!.every((matcher) => matcher.matchesEvent(event)),
            byId!.every((matcher) => matcher.matchesEvent(event)),
          )
        }
      },
    ),
    { numRuns: 200 },
  )
})

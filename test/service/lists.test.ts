import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bytesOf, envelope } from '../fixtures/genesys/samples.ts'
import { type Json, type Running, running, until } from './_service.ts'

const ACD = 'v2.detail.events.conversation.{id}.acd.end'
const CUSTOMER = 'v2.detail.events.conversation.{id}.customer.end'

const event = (n: number, topic: string = ACD): Buffer =>
  bytesOf(
    envelope({
      id: `e-${n}`,
      topic,
      topicName: topic.replace('{id}', `c-${n % 3}`),
      body: {
        eventTime: 1_774_000_000_000 + n,
        conversationId: `c-${n % 3}`,
        queueId: `q-${n % 2}`,
        userId: `u-${n % 4}`,
        answeredUserId: `u-${n % 4}`,
      },
    }),
  )

describe('GET /v1/events', () => {
  it('filters by each parameter, and by all together', async (t) => {
    const service = await running(t, {
      config: { routes: { acd: { topics: [ACD], sink: { type: 'file', dir: 'acd' } }, all: { sink: { type: 'file', dir: 'all' } } } },
    })
    const sent: Json[] = []
    for (let n = 0; n < 12; n++) {
      const { json } = await service.send(event(n, n % 4 === 3 ? CUSTOMER : ACD))
      sent.push(await service.get(`/v1/events/${json['ids'][0]}`))
    }
    const again = (await service.send(event(0))).json['ids'][0]
    sent.push(await service.get(`/v1/events/${again}`))
    await settled(service)
    const expect = async (query: string, wanted: (e: Json, n: number) => boolean): Promise<void> => {
      const { events } = await service.get(`/v1/events?limit=100&${query}`)
      assert.deepEqual(
        events?.map((e: Json) => e['id']),
        sent
          .filter(wanted)
          .map((e) => e['id'])
          .toReversed(),
        query,
      )
    }
    await expect('', () => true)
    await expect(`topic=${encodeURIComponent(CUSTOMER)}`, (e) => e['topic'] === CUSTOMER)
    await expect('conversation=c-1', (e) => e['conversationId'] === 'c-1')
    await expect('queue=q-1', (e) => e['queueId'] === 'q-1')
    await expect('agent=u-2', (e) => e['userId'] === 'u-2')
    await expect('route=acd', (e) => e['topic'] === ACD)
    await expect('route=acd&outcome=not_matched', (e) => e['topic'] === CUSTOMER)
    await expect('outcome=duplicate', (e) => e['id'] === again)
    await expect('route=all&outcome=delivered', (e) => e['id'] !== again)
    await expect(
      'conversation=c-0&queue=q-1&route=acd',
      (e) => e['conversationId'] === 'c-0' && e['queueId'] === 'q-1' && e['topic'] === ACD,
    )
    const middle = sent[5]?.['receivedAtMs'] ?? 0
    await expect(`from=${middle}`, (e) => e['receivedAtMs'] >= middle)
    await expect(`to=${new Date(middle).toISOString()}`, (e) => e['receivedAtMs'] <= middle)
    await expect('conversation=unknown', () => false)
  })

  it('finds by time what came long after the segment was begun', async (t) => {
    const service = await running(t)
    await service.send(event(0))
    await until('later', async () => (await service.get('/v1/stats'))['uptimeMs'] > 150)
    const { json } = await service.send(event(1))
    const { receivedAtMs } = await service.get(`/v1/events/${json['ids'][0]}`)
    const { events } = await service.get(`/v1/events?from=${receivedAtMs}`)
    assert.deepEqual(
      events?.map((e: Json) => e['id']),
      [json['ids'][0]],
    )
  })

  it('pages both ways without gaps or doubles while events arrive', async (t) => {
    const service = await running(t)
    const ids: string[] = []
    const send = async (n: number): Promise<void> => {
      ids.push((await service.send(event(n))).json['ids'][0] ?? assert.fail('no id'))
    }
    for (let n = 0; n < 25; n++) await send(n)
    const down: string[] = []
    let cursor: string | null = ''
    for (let n = 25; cursor !== null; n++) {
      const page: Json = await service.get(`/v1/events?limit=4${cursor === '' ? '' : `&cursor=${cursor}`}`)
      down.push(...page['events'].map((e: Json) => String(e['id'])))
      cursor = page['cursor']
      await send(n)
    }
    assert.deepEqual(down, ids.slice(0, 25).toReversed())
    const up: string[] = []
    for (let at = '', n = 50; up.length < ids.length; n++) {
      const page: Json = await service.get(`/v1/events?order=asc&limit=4${at === '' ? '' : `&cursor=${at}`}`)
      up.push(...page['events'].map((e: Json) => String(e['id'])))
      at = page['cursor'] ?? assert.fail('going up there is always a cursor')
      if (n < 55) await send(n)
    }
    assert.deepEqual(up, ids)
  })

  it('answers bad parameters 400 with code, message and hint', async (t) => {
    const service = await running(t)
    const bad = [
      'limit=0',
      'limit=1001',
      'limit=x',
      'limit=-1',
      'limit=1.5',
      'cursor=abc',
      'cursor=-1',
      'cursor=99999999999999999999',
      'order=up',
      'from=yesterday',
      'to=NaN',
      'outcome=fine',
      'route=nothing',
      'unknown=1',
      `topic=${'x'.repeat(1_001)}`,
      'Topic=a',
    ]
    for (const query of bad) {
      const { status, json } = await service.ask(`/v1/events?${query}`)
      assert.ok([400, 404].includes(status), `${query.slice(0, 40)} -> ${status}`)
      for (const key of ['code', 'message', 'hint'] as const) assert.ok((json[key] ?? '').length > 0, `${query}: ${key}`)
    }
    for (const path of ['/v1/quarantine?limit=201', '/v1/quarantine?x=1', '/v1/deadletters?state=gone', '/v1/deadletters?limit=0'])
      assert.equal((await service.ask(path)).status, 400, path)
    const post = (body: string): Promise<number> =>
      service
        .ask('/v1/deadletters/redrive', { method: 'POST', headers: { 'content-type': 'application/json' }, body })
        .then((r) => r.status)
    for (const body of [
      '[]',
      '7',
      '{',
      '{"perSecond":0}',
      '{"dryRun":"yes"}',
      '{"eventIds":[1]}',
      '{"__proto__":{"route":"x"}}',
      '{"nothing":1}',
    ])
      assert.equal(await post(body), 400, body)
    assert.equal(await post(`{"route":"${'x'.repeat(5 * 1024 * 1024)}"}`), 400)
    assert.equal(await post('{"route":"out"}'), 200)
  })

  it('answers 404 for ids that lead nowhere, whatever they look like', async (t) => {
    const service = await running(t)
    const { logId } = await service.send(event(0)).then(async ({ json }) => ({ logId: String(json['ids'][0]).slice(0, 8) }))
    for (const id of [
      '..%2f..%2fetc%2fpasswd',
      '%2e%2e',
      '%00',
      `${logId}-00000009`,
      `${logId}-zzzzzzzzzz`,
      `${logId}-00000000`,
      `${logId}--1`,
      `${logId}-q0000001`,
      'x'.repeat(5_000),
      '__proto__',
      'constructor',
      '%F0%9F%98%80',
      "'%20OR%201=1",
    ]) {
      const { status, json } = await service.ask(`/v1/events/${id}`)
      assert.ok(status === 404, `${id.slice(0, 40)} -> ${status}`)
      assert.ok(json['code'].length > 0)
      assert.equal((await service.ask(`/v1/quarantine/${id}`)).status, 404, id.slice(0, 40))
    }
    for (const query of [
      'cursor=0',
      'cursor=999999999999999',
      'cursor=0&order=asc',
      'cursor=999999999999999&order=asc',
      'cursor=1&order=desc',
    ])
      assert.equal((await service.ask(`/v1/events?${query}`)).status, 200, query)
  })
})

describe('figures', () => {
  it('of /v1/stats and /metrics are what was done', async (t) => {
    const service = await running(t, { config: { routes: { acd: { topics: [ACD], sink: { type: 'file', dir: 'acd' } } } } })
    await service.send([event(0), event(1), event(1), 'broken'].join('\n'), { 'content-type': 'application/x-ndjson' })
    await service.send(event(2, CUSTOMER))
    await service.send(bytesOf({ ...(JSON.parse(event(3).toString()) as object), id: 'e-0' }))
    await service.send('broken too')
    await settled(service)
    const { intake, log, quarantine, routes, mode } = await service.get('/v1/stats')
    const { requests, refused, accepted, duplicates, quarantined, idsReused, quarantineDropped, pendingBytes } =
      intake as unknown as Record<string, number>
    assert.deepEqual(
      { requests, refused, accepted, duplicates, quarantined, idsReused, quarantineDropped, pendingBytes },
      { requests: 4, refused: 0, accepted: 5, duplicates: 1, quarantined: 2, idsReused: 1, quarantineDropped: 0, pendingBytes: 0 },
    )
    assert.deepEqual([mode, log?.['firstSeq'], log?.['nextSeq'], quarantine?.['records']], ['dev', 1, 6, 2])
    const { position, lag, inFlight, retrying, held, breaker, counts } = routes['acd'] as unknown as Record<string, number>
    assert.deepEqual(
      { position, lag, inFlight, retrying, held, breaker, counts },
      { position: 6, lag: 0, inFlight: 0, retrying: 0, held: 0, breaker: 'closed', counts: { delivered: 3, duplicate: 1, not_matched: 1 } },
    )

    const text = (await service.ask('/metrics')).text
    const metric = (name: string): number =>
      Number(
        text
          .split('\n')
          .find((line) => line.startsWith(`${name} `))
          ?.split(' ')
          .at(-1),
      )
    const figures: Readonly<Record<string, number>> = {
      trunkline_intake_requests_total: 4,
      trunkline_intake_refused_total: 0,
      trunkline_intake_accepted_total: 5,
      trunkline_intake_duplicates_total: 1,
      trunkline_intake_ids_reused_total: 1,
      trunkline_intake_quarantined_total: 2,
      trunkline_quarantine_dropped_total: 0,
      trunkline_log_damaged_records: 0,
      'trunkline_route_events_total{route="acd",outcome="delivered",reason="",key=""}': 3,
      'trunkline_route_events_total{route="acd",outcome="duplicate",reason="",key=""}': 1,
      'trunkline_route_events_total{route="acd",outcome="not_matched",reason="",key=""}': 1,
      'trunkline_route_lag_events{route="acd"}': 0,
      'trunkline_route_retrying_events{route="acd"}': 0,
      'trunkline_route_held_events{route="acd"}': 0,
      'trunkline_route_breaker_open{route="acd"}': 0,
    }
    for (const [name, value] of Object.entries(figures)) assert.equal(metric(name), value, name)
    assert.equal(metric('trunkline_log_bytes'), log?.['bytes'])
  })

  it('the page shows names and addresses as text', async (t) => {
    const url = 'http://127.0.0.1:1/%3Cscript%3E?a=<img src=x>'.replaceAll(' ', '+')
    const service = await running(t, {
      config: { routes: { crm: { topics: ["<script>alert('1')</script>.*"], sink: { type: 'http', url } } } },
    })
    const page = await service.ask('/')
    assert.match(page.headers.get('content-security-policy') ?? '', /default-src 'none'/)
    assert.ok(!page.text.includes('<script') && !page.text.includes('<img'))
    assert.ok(page.text.includes('&#60;script&#62;alert(&#39;1&#39;)'))
  })
})

/** Waits until no route has anything left to do. */
async function settled(service: Running): Promise<void> {
  await until('all settled', async () => {
    const { routes } = await service.get('/v1/stats')
    return Object.values(routes as unknown as Record<string, Json>).every(
      (r) => r['lag'] === 0 && r['inFlight'] === 0 && r['retrying'] === 0,
    )
  })
}

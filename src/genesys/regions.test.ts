import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hostsAt, hostsOf, REGIONS, regionOf } from './regions.ts'

test('every region is found by its AWS name, its domain, a host and an address from the browser', () => {
  assert.equal(REGIONS.length, 18)
  assert.equal(new Set(REGIONS.flatMap(({ aws, domain }) => [aws, domain])).size, 36)
  for (const region of REGIONS) {
    const { aws, domain } = region
    for (const text of [
      aws,
      aws.replaceAll('-', '_').toUpperCase(),
      domain,
      ` ${domain.toUpperCase()} `,
      `api.${domain}`,
      `login.${domain}.`,
      `https://apps.${domain}/directory/#/engage/admin?x=1`,
      `wss://streaming.${domain}/channels/1`,
      `apps.${domain}:443/x`,
    ])
      assert.equal(regionOf(text), region, text)
  }
})

test('a domain that only ends like a region is none of them', () => {
  for (const text of [
    'evilmypurecloud.com',
    'mypurecloud.com.evil.test',
    'https://mypurecloud.com@evil.test/',
    'mypurecloud.co',
    '',
    '   ',
    'x'.repeat(100_000),
  ])
    assert.throws(() => regionOf(text), { code: 'genesys.region_unknown' }, text.slice(0, 40))
})

test('a region that is wrong is answered with the nearest ones', () => {
  assert.throws(() => regionOf('us-east-11'), {
    code: 'genesys.region_unknown',
    message: /"us-east-11".*no region/,
    hint: /^The nearest are us-east-1 \(mypurecloud.com\)/,
  })
  assert.throws(() => regionOf('https://apps.mypurecloud.dee'), { hint: /mypurecloud\.de\)/ })
  assert.throws(() => regionOf('euw2.pure.clod'), { hint: /^The nearest are eu-west-2/ })
  assert.throws(
    () => regionOf('\u001b[31m'),
    (error: Error) => !error.message.includes('\u001b'),
  )
})

test('a region has its login, API and streaming hosts', () => {
  assert.deepEqual(hostsOf(regionOf('mypurecloud.de')), {
    login: 'https://login.mypurecloud.de',
    api: 'https://api.mypurecloud.de',
    streaming: 'wss://streaming.mypurecloud.de',
  })
})

test('a base URL replaces login and API; without encryption only on this machine', () => {
  for (const [given, origin] of [
    ['http://127.0.0.1:4690', 'http://127.0.0.1:4690'],
    ['http://localhost:1/', 'http://localhost:1'],
    ['http://[::1]:1', 'http://[::1]:1'],
    ['https://proxy.test/genesys/', 'https://proxy.test/genesys'],
  ] as const)
    assert.deepEqual(hostsOf(regionOf('us-east-1'), given), { login: origin, api: origin, streaming: null })
  for (const bad of [
    'http://proxy.test',
    'http://127.0.0.1.evil.test',
    'ftp://127.0.0.1',
    'nonsense',
    '',
    'https://me:pass-word@h.test',
    'https://h.test/?key=pass-word',
    'https://h.test/#pass-word',
  ])
    assert.throws(
      () => hostsAt(bad),
      (error: Error & { code: string }) => error.code === 'genesys.base_url' && !error.message.includes('pass-word'),
      bad,
    )
})

/**
 * Where Genesys Cloud lives: the 18 regions, and the hosts of each. A region is named as its AWS region, its domain, or
 * any address copied from a browser. An address that replaces the hosts (a fake, a proxy) must be https, unless it stays
 * on this machine: client secret and tokens are sent to it.
 */
import { TrunklineError } from '../errors.ts'

export type Region = {
  /** `us-east-1` */
  readonly aws: string
  /** `mypurecloud.com`: what all hosts end with. */
  readonly domain: string
}

/** Origins, without a slash at the end (`baseUrl` may add a path). */
export type Hosts = {
  readonly login: string
  readonly api: string
  /** Where channels connect to; null when the hosts were replaced, as only the answers then know. */
  readonly streaming: string | null
}

export const REGIONS: readonly Region[] = [
  { aws: 'us-east-1', domain: 'mypurecloud.com' },
  { aws: 'us-west-2', domain: 'usw2.pure.cloud' },
  { aws: 'us-east-2', domain: 'use2.us-gov-pure.cloud' },
  { aws: 'ca-central-1', domain: 'cac1.pure.cloud' },
  { aws: 'sa-east-1', domain: 'sae1.pure.cloud' },
  { aws: 'mx-central-1', domain: 'mxc1.pure.cloud' },
  { aws: 'eu-west-1', domain: 'mypurecloud.ie' },
  { aws: 'eu-west-2', domain: 'euw2.pure.cloud' },
  { aws: 'eu-central-1', domain: 'mypurecloud.de' },
  { aws: 'eu-central-2', domain: 'euc2.pure.cloud' },
  { aws: 'eusc-de-east-1', domain: 'edee1.eusc-pure.cloud' },
  { aws: 'me-central-1', domain: 'mec1.pure.cloud' },
  { aws: 'ap-southeast-1', domain: 'apse1.pure.cloud' },
  { aws: 'ap-southeast-2', domain: 'mypurecloud.com.au' },
  { aws: 'ap-northeast-1', domain: 'mypurecloud.jp' },
  { aws: 'ap-northeast-2', domain: 'apne2.pure.cloud' },
  { aws: 'ap-northeast-3', domain: 'apne3.pure.cloud' },
  { aws: 'ap-south-1', domain: 'aps1.pure.cloud' },
]

/** The region that a text names: `us-east-1`, `mypurecloud.com`, `api.mypurecloud.com`, `https://apps.mypurecloud.de/...`. */
export function regionOf(text: string): Region {
  const name = hostIn(text)
  const found = REGIONS.find(({ aws, domain }) => name.replaceAll('_', '-') === aws || name === domain || name.endsWith(`.${domain}`))
  if (found !== undefined) return found
  const near = nearestRegions(name)
    .map(({ aws, domain }) => `${aws} (${domain})`)
    .join(', ')
  throw new TrunklineError(
    'genesys.region_unknown',
    `${JSON.stringify(text.slice(0, 100))} is no region of Genesys Cloud.`,
    `The nearest are ${near}. The address of your organization in the browser ends with the domain of its region.`,
  )
}

/** The hosts of a region; a `baseUrl` replaces the login and API hosts both. */
export function hostsOf(region: Region, baseUrl: string | null = null): Hosts {
  if (baseUrl !== null) return hostsAt(baseUrl)
  const { domain } = region
  return { login: `https://login.${domain}`, api: `https://api.${domain}`, streaming: `wss://streaming.${domain}` }
}

/** Hosts that a `baseUrl` alone gives. */
export function hostsAt(baseUrl: string): Hosts {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : null
  // The address itself is not shown: one that is wrong in this way may hold a password.
  if (url === null || !/^https?:$/.test(url.protocol) || `${url.username}${url.password}${url.search}${url.hash}` !== '')
    throw baseUrlError('The base URL is no http or https address, or holds more than host, port and path.')
  if (url.protocol === 'http:' && !isLoopback(url.hostname))
    throw baseUrlError(`The base URL sends the client secret to ${url.hostname.slice(0, 100)} without encryption.`)
  const origin = `${url.origin}${url.pathname.replace(/\/+$/, '')}`
  return { login: origin, api: origin, streaming: null }
}

/** Whether a host name of a URL is this machine. */
export function isLoopback(hostname: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(hostname)
}

function baseUrlError(message: string): TrunklineError {
  return new TrunklineError(
    'genesys.base_url',
    message,
    'Write https://host[/path], or http://127.0.0.1:PORT for a service on this machine. Leave it out for Genesys Cloud itself.',
  )
}

function hostIn(text: string): string {
  const trimmed = text.trim().toLowerCase().slice(0, 500)
  const withScheme = trimmed.includes('://') ? trimmed : `https://${trimmed}`
  return URL.canParse(withScheme) ? new URL(withScheme).hostname.replace(/\.$/, '') : trimmed
}

/** At most three, likeliest first. */
function nearestRegions(name: string): Region[] {
  const score = ({ aws, domain }: Region): number => Math.max(likeness(name, aws), likeness(name, domain))
  return REGIONS.toSorted((left, right) => score(right) - score(left)).slice(0, 3)
}

/** Share of the pairs of neighbouring characters that two words have in common, 0 to 1. */
function likeness(left: string, right: string): number {
  const pairs = (word: string): Set<string> => new Set(Array.from({ length: Math.max(0, word.length - 1) }, (_, i) => word.slice(i, i + 2)))
  const a = pairs(left.slice(0, 100))
  const b = pairs(right)
  return (2 * a.intersection(b).size) / Math.max(1, a.size + b.size)
}

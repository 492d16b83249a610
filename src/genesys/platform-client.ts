/**
 * The thin client of the Platform API: all calls of the port, over one token and one rate budget. Keep one client per
 * OAuth client in a process, as the budget is counted by token. Nothing of it is sent anywhere but to its two hosts.
 */
import type { Clock } from '../pipeline/clock.ts'
import { readAvailableTopics } from './calls/available-topics.ts'
import { addTopics, channelExists, createChannel, replaceTopics } from './calls/channels.ts'
import { readConversationDetail, readConversationDetails } from './calls/conversation-details.ts'
import { patchAttributes, readConversation } from './calls/conversations.ts'
import { integrationsOf, type Integrations } from './calls/integrations.ts'
import { readDivisions, readFlows, readQueues, readUsers, readWrapupCodes } from './calls/named-things.ts'
import { readOrganization } from './calls/organization.ts'
import { readUserStatuses } from './calls/user-statuses.ts'
import { Caller } from './caller.ts'
import type { Platform } from './platform.ts'
import { RateBudget, type BudgetState } from './rate-budget.ts'
import type { Hosts } from './regions.ts'
import { TokenKeeper } from './token.ts'

export type PlatformClientOptions = {
  readonly hosts: Hosts
  readonly clientId: string
  readonly clientSecret: string
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  readonly fetch: typeof fetch
  /** `trunkline/1.2.3` */
  readonly userAgent: string
  /** For one attempt, its answer read. Default 30 s. */
  readonly timeoutMs?: number
  /** Calls that may wait for the budget. Default 1,000. */
  readonly maxWaiting?: number
  /** The end of everything; calls have their own signals besides. */
  readonly signal?: AbortSignal
}

export type PlatformClient = Platform & {
  /** The same calls for what can wait: they take what the others leave, and never more than half of the budget. */
  readonly background: Platform
  readonly integrations: Integrations
  /** What is known of the rate budget now. */
  budget(): BudgetState
}

const TIMEOUT_MS = 30_000

export function platformClient(options: PlatformClientOptions): PlatformClient {
  const { hosts, clientId, clientSecret, clock, random, userAgent, maxWaiting, signal } = options
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS
  const tokens = new TokenKeeper({
    loginUrl: hosts.login,
    clientId,
    clientSecret,
    userAgent,
    clock,
    random,
    fetch: options.fetch,
    timeoutMs,
    signal,
  })
  const budget = new RateBudget({ clock, random, ...(maxWaiting === undefined ? {} : { maxWaiting }) })
  const shared = { apiUrl: hosts.api, userAgent, tokens, budget, clock, random, fetch: options.fetch, timeoutMs, signal }
  const normal = new Caller(shared, 'normal')
  return {
    ...callsOf(normal),
    background: callsOf(new Caller(shared, 'background')),
    integrations: integrationsOf(normal),
    budget: () => budget.state(),
  }
}

function callsOf(caller: Caller): Platform {
  return {
    organization: (signal) => readOrganization(caller, signal),
    queues: (signal) => readQueues(caller, signal),
    users: (signal) => readUsers(caller, signal),
    divisions: (signal) => readDivisions(caller, signal),
    wrapupCodes: (signal) => readWrapupCodes(caller, signal),
    flows: (signal) => readFlows(caller, signal),
    conversation: (id, signal) => readConversation(caller, id, signal),
    conversationDetail: (id, signal) => readConversationDetail(caller, id, signal),
    userStatuses: (ids, signal) => readUserStatuses(caller, ids, signal),
    conversationDetails: (range, signal) => readConversationDetails(caller, range, signal),
    patchAttributes: (conversationId, participantId, attributes, signal) =>
      patchAttributes(caller, conversationId, participantId, attributes, signal),
    availableTopics: (signal) => readAvailableTopics(caller, signal),
    createChannel: (signal) => createChannel(caller, signal),
    channelExists: (id, signal) => channelExists(caller, id, signal),
    addTopics: (channelId, topics, signal) => addTopics(caller, channelId, topics, signal),
    replaceTopics: (channelId, topics, signal) => replaceTopics(caller, channelId, topics, signal),
  }
}

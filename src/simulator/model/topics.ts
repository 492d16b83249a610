/** The topics the model publishes, and their names with ids. */
export type Topic = { readonly template: string; readonly head: string; readonly tail: string }

const topic = (template: string): Topic => {
  const [head = '', tail = ''] = template.split('{id}')
  return { template, head, tail }
}
const detail = (kind: string): Topic => topic(`v2.detail.events.conversation.{id}.${kind}`)

export const CUSTOMER_START: Topic = detail('customer.start')
export const CUSTOMER_END: Topic = detail('customer.end')
export const FLOW_START: Topic = detail('flow.start')
export const FLOW_END: Topic = detail('flow.end')
export const FLOW_OUTCOME: Topic = detail('flow.outcome')
export const ACD_START: Topic = detail('acd.start')
export const ACD_END: Topic = detail('acd.end')
export const USER_START: Topic = detail('user.start')
export const USER_END: Topic = detail('user.end')
export const ACW: Topic = detail('acw')
export const WRAPUP: Topic = detail('wrapup')
export const ATTRIBUTES: Topic = detail('attributes')
export const CONTACT: Topic = detail('contact')
export const OUTBOUND: Topic = detail('outbound')
export const VOICEMAIL_START: Topic = detail('voicemail.start')
export const VOICEMAIL_END: Topic = detail('voicemail.end')
export const AGENT_STATE: Topic = topic('v2.detail.events.agent.{id}.state')
export const PRESENCE: Topic = topic('v2.users.{id}.presence')
export const ROUTING_STATUS: Topic = topic('v2.users.{id}.routingStatus')
export const ACTIVITY: Topic = topic('v2.users.{id}.activity')
export const CONVERSATION_SUMMARY: Topic = topic('v2.users.{id}.conversationsummary')
export const USER_CONVERSATIONS: Topic = topic('v2.users.{id}.conversations')
export const QUEUE_CONVERSATIONS: Topic = topic('v2.routing.queues.{id}.conversations')
export const QUEUE_USERS: Topic = topic('v2.routing.queues.{id}.users')
export const OBSERVATIONS: Topic = topic('v2.analytics.queues.{id}.observations')
export const TRANSCRIPTION: Topic = topic('v2.conversations.{id}.transcription')
/** Has two ids: the first part of its name comes with the id. */
export const AUDITS: Topic = { template: 'v2.audits.entitytype.{id}.entityid.{id}', head: 'v2.audits.entitytype.', tail: '' }

/** Every topic the model may publish. */
export const SIMULATED_TOPICS: readonly Topic[] = [
  CUSTOMER_START,
  CUSTOMER_END,
  FLOW_START,
  FLOW_END,
  FLOW_OUTCOME,
  ACD_START,
  ACD_END,
  USER_START,
  USER_END,
  ACW,
  WRAPUP,
  ATTRIBUTES,
  CONTACT,
  OUTBOUND,
  VOICEMAIL_START,
  VOICEMAIL_END,
  AGENT_STATE,
  PRESENCE,
  ROUTING_STATUS,
  ACTIVITY,
  CONVERSATION_SUMMARY,
  USER_CONVERSATIONS,
  QUEUE_CONVERSATIONS,
  QUEUE_USERS,
  OBSERVATIONS,
  TRANSCRIPTION,
  AUDITS,
]

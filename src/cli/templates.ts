/** What `trunkline init` writes. The configurations do the same in both formats; the event is made up, in the shape of a partner bus. */

/** A typed configuration with one working route and one to fill in. */
export const CONFIG_TS = `import { defineConfig } from 'trunkline'

// Every option: docs/reference/configuration.md. \`trunkline config check\` says what is wrong, \`trunkline config\` what is in force.
export default defineConfig({
  routes: {
    // Every event, as lines of JSON.
    archive: {
      from: 'earliest',
      sink: { type: 'file', dir: '.trunkline/out' },
    },

    // Calls that begin and end, posted to a system of yours. Remove the comment signs and set CRM_TOKEN.
    // crm: {
    //   topics: ['v2.detail.events.conversation.{id}.customer.start', 'v2.detail.events.conversation.{id}.customer.end'],
    //   order: { by: 'conversation' },
    //   sink: {
    //     type: 'http',
    //     url: 'https://crm.example.com/genesys/events',
    //     headers: { authorization: 'env:CRM_TOKEN' },
    //   },
    // },
  },
})
`

/** The same in JSON, which has no comments. */
export const CONFIG_JSON: string = `${JSON.stringify({ routes: { archive: { from: 'earliest', sink: { type: 'file', dir: '.trunkline/out' } } } }, null, 2)}\n`

const CONVERSATION = '7c1d7a52-9d0e-4c38-8a53-0f5b1f7f5a10'

/** A first event to send: a customer calls. */
export const SAMPLE_EVENT: string = `${JSON.stringify(
  {
    version: '0',
    id: '4e0a3d1c-52b7-4f6e-9c1d-8b3f6a2e7d90',
    'detail-type': 'v2.detail.events.conversation.{id}.customer.start',
    source: 'aws.partner/genesys.com/cloud/00000000-0000-4000-8000-000000000000/example',
    account: '123456789012',
    time: '2026-01-05T09:00:00Z',
    region: 'us-east-1',
    resources: [],
    detail: {
      topicName: `v2.detail.events.conversation.${CONVERSATION}.customer.start`,
      version: '2',
      eventBody: {
        eventTime: Date.UTC(2026, 0, 5, 9),
        conversationId: CONVERSATION,
        participantId: 'b2d5e0d4-3f0a-4a7e-9a39-6a5c7b0d1e22',
        sessionId: '5f9c2c77-1f6d-4b1c-8f0e-2d9a4c3b6e11',
        mediaType: 'VOICE',
        provider: 'Edge',
        direction: 'INBOUND',
        ani: 'tel:+15555550100',
        dnis: 'tel:+15555550199',
      },
      metadata: { CorrelationId: 'c0a8d6f4-6b1e-4f5a-b9b7-1e2d3c4b5a69' },
      timestamp: '2026-01-05T09:00:00.250Z',
    },
  },
  null,
  2,
)}\n`

/** A first test: the sample event is archived, and not twice. Paths are relative to the configuration. */
export const SAMPLE_TEST = `{
  "name": "a call that begins is archived once",
  "events": [
    { "file": "events/customer-start.json", "expect": { "archive": "delivered" } },
    { "file": "events/customer-start.json", "expect": { "archive": "duplicate" } }
  ]
}
`

import type { TrunklineConfig } from 'trunkline'

const config: TrunklineConfig = {
  routes: {
    answered: {
      topics: ['v2.detail.events.conversation.{id}.acd.end'],
      sink: { type: 'function', module: 'answered.ts', timeoutMs: 5_000 },
    },
  },
}

export default config

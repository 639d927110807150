import test from 'ava'
import { memoryBroker } from 'koa-event-stream'
import { ManualClock } from '../support/manual-clock.ts'
import { testBroker } from './broker.ts'

testBroker(test, {
  name: 'memory',
  shared: false,
  second: 1_000,
  open: async (_, limits = {}) => {
    const clock = new ManualClock()
    const broker = memoryBroker({ history: limits, clock })
    return {
      connect: async () => broker,
      elapse: async ms => clock.advance(ms),
      stepBack: async ms => clock.set(clock.now() - ms),
    }
  },
})

import test from 'ava'
import { memoryBroker } from 'koa-event-stream'
import { brokerContract } from 'koa-event-stream/testing'
import { ManualClock } from '../support/manual-clock.ts'
import { named } from './named.ts'

const clocks = new Map<string, ManualClock>()

brokerContract(
  named(test, 'memory'),
  ({ log, history }) => {
    const clock = new ManualClock()
    clocks.set(log, clock)
    return memoryBroker({ history, clock })
  },
  {
    elapse: (ms, log) => clocks.get(log)?.advance(ms),
    stepBack: (ms, log) => {
      const clock = clocks.get(log)
      clock?.set(clock.now() - ms)
    },
  },
)

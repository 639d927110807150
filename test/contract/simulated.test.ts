/**
 * The contract of brokers on the real replica and the simulated log of test/simulation, over its network with delays. The
 * time is virtual: it goes on by itself, from one thing that is to happen to the next, until all brokers are closed.
 */
import test from 'ava'
import type { HistoryOptions } from 'koa-event-stream'
import { brokerContract } from 'koa-event-stream/testing'
import { HistoryPolicy } from '../../lib/broker/history-policy.ts'
import { live } from '../simulation/live.ts'
import { MEMORY } from '../simulation/log-server.ts'
import { LogService, type LogWitness } from '../simulation/log-service.ts'
import { Line } from '../simulation/network.ts'
import { RemoteBroker } from '../simulation/remote-broker.ts'
import { SimulatedProcess } from '../simulation/simulated-process.ts'
import { VirtualTime } from '../simulation/virtual-time.ts'
import { Random } from '../support/random.ts'
import { named } from './named.ts'

const UNWATCHED: LogWitness = {
  appended: () => {},
  began: () => {},
  evicted: () => {},
  failedOver: () => {},
  flushed: () => {},
}

/** A simulated log, and the time that it and its instances live by. */
class SimulatedLog {
  readonly #time = new VirtualTime()
  readonly #random: Random
  readonly #policy: HistoryPolicy
  readonly #service: LogService
  #instances = 0

  constructor(seed: number, history: HistoryOptions) {
    this.#random = new Random(seed)
    this.#policy = new HistoryPolicy(history)
    const limitsOf = (topic: string) => this.#policy.limitsOf(topic)
    this.#service = new LogService(this.#time, this.#random, UNWATCHED, { limitsOf })
  }

  connect(): RemoteBroker {
    this.#instances += 1
    // Ends when nothing is left to happen, which a broker that is closed and keeps a timer would prevent.
    if (this.#instances === 1) void live(this.#time)
    return new RemoteBroker({
      process: new SimulatedProcess(`i${this.#instances}`, this.#time, this.#random),
      service: this.#service,
      line: new Line(this.#time, this.#random),
      policy: this.#policy,
      memory: MEMORY,
    })
  }

  elapse(ms: number): Promise<void> {
    return new Promise(resolve => this.#time.after(ms, resolve))
  }

  stepBack(ms: number): void {
    for (const server of [this.#service.primary, this.#service.follower]) server.offset -= ms
  }
}

// Each log has a network of its own; the same ones each time, so that what fails is the change.
const FIRST = Number(process.env.SEED ?? 1)
const logs = new Map<string, SimulatedLog>()

brokerContract(
  named(test, 'simulated'),
  ({ log, history }) => {
    const known = logs.get(log) ?? new SimulatedLog(FIRST + logs.size, history)
    logs.set(log, known)
    return known.connect()
  },
  {
    shared: true,
    elapse: (ms, log) => logs.get(log)?.elapse(ms),
    stepBack: (ms, log) => logs.get(log)?.stepBack(ms),
  },
)

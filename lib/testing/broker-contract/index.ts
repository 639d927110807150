import { setTimeout } from 'node:timers/promises'
import type { Broker } from '../../broker/broker.ts'
import type { HistoryOptions } from '../../broker/history-policy.ts'
import { benchOn, type Contract, type ContractLog } from './contract.ts'
import { eventsContract } from './events.ts'
import { historyContract } from './history.ts'
import { instancesContract, sharedContract } from './instances.ts'
import { leasesContract } from './leases.ts'
import { rosterContract } from './roster.ts'
import { storeContract } from './store.ts'

/** How a runner takes a test: `test` of node:test, Vitest and Jest as they are. */
export type TestFunction = (title: string, body: () => Promise<void>) => unknown

/** What a broker is made with. */
export interface ContractBrokerOptions {
  /** The name of its log. Brokers that are made with the same name are instances on one log. */
  readonly log: string
  /** What topics remember. */
  readonly history: HistoryOptions
}

export interface BrokerContractOptions {
  /** Whether several brokers can be instances on one log. Default `false`: each is made for a log of its own. */
  shared?: boolean
  /**
   * Milliseconds that limits of a second are set to. More where time cannot be advanced, so that what is to happen within a
   * second does so on a busy machine. Default 1,000.
   */
  second?: number
  /** Lets milliseconds go by for a log. Default: waits for as long. */
  elapse?: (ms: number, log: string) => void | Promise<void>
  /** Makes a log's clock say an earlier time. Default: does not. */
  stepBack?: (ms: number, log: string) => void | Promise<void>
}

/**
 * What every engine promises, as tests: for authors of brokers. Each test has a log of its own, whose brokers it closes.
 *
 *     import test from 'node:test'
 *     brokerContract(test, ({ log, history }) => myBroker({ name: log, history }), { shared: true })
 *
 * @param test what defines a test: a function that takes a title and a body
 * @param makeBroker makes one instance. It must not be listened to yet.
 */
export function brokerContract(
  test: TestFunction,
  makeBroker: (options: ContractBrokerOptions) => Broker | Promise<Broker>,
  options: BrokerContractOptions = {},
): void {
  const { shared = false, second = 1_000, elapse = (ms: number) => setTimeout(ms), stepBack } = options
  const open = (history: HistoryOptions, made: Broker[]): ContractLog => {
    logs += 1
    const log = `contract-${logs}`
    return {
      connect: async () => {
        const broker = await makeBroker({ log, history })
        made.push(broker)
        return broker
      },
      elapse: async ms => {
        await elapse(ms, log)
      },
      stepBack: async ms => {
        await stepBack?.(ms, log)
      },
    }
  }
  const contract: Contract = {
    second,
    it: (title, body) => {
      test(title, async () => {
        const made: Broker[] = []
        try {
          await body(benchOn(async history => open(history, made)))
        } finally {
          for (const broker of made) await broker.close()
        }
      })
    },
  }
  const parts = [eventsContract, historyContract, storeContract, leasesContract, rosterContract, instancesContract]
  for (const part of shared ? [...parts, sharedContract] : parts) part(contract)
}

let logs = 0

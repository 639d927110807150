import type { Broker } from '../../broker/broker.ts'
import type { HistoryOptions } from '../../broker/history-policy.ts'
import { Recorder } from './recorder.ts'

/** A log of its own for one test. */
export interface ContractLog {
  /** One instance on the log; another one each time where several can share it. */
  connect(): Promise<Broker>
  /** Lets milliseconds go by for the log. */
  elapse(ms: number): Promise<void>
  /** Makes the log's clock say an earlier time, where it can. */
  stepBack(ms: number): Promise<void>
}

/** An instance of a new log that listens to topics. */
export interface Listening {
  readonly log: ContractLog
  readonly broker: Broker
  readonly recorder: Recorder
}

/** What one test works with. */
export interface Bench {
  open(history?: HistoryOptions): Promise<ContractLog>
  listening(topics: readonly string[], history?: HistoryOptions): Promise<Listening>
}

/** What the parts of the contract are written with. */
export interface Contract {
  readonly it: (title: string, body: (bench: Bench) => Promise<void>) => void
  /** Milliseconds that limits of a second are set to. */
  readonly second: number
}

/** A bench on logs of an engine. */
export function benchOn(openLog: (history: HistoryOptions) => Promise<ContractLog>): Bench {
  const open = (history: HistoryOptions = {}): Promise<ContractLog> => openLog(history)
  return {
    open,
    listening: async (topics, history) => {
      const log = await open(history)
      const broker = await log.connect()
      const recorder = new Recorder()
      broker.listen(recorder)
      for (const topic of topics) await broker.subscribe(topic)
      return { log, broker, recorder }
    },
  }
}

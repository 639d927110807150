import type { LogState } from '../../lib/broker/replica/log-engine.ts'
import { decodeEntry, isEnd, type End } from '../../lib/relay/batch.ts'

/** What the log has taken of a run. */
interface Taken {
  readonly epoch: string
  readonly seq: number
  readonly end: End | undefined
}

const TOPIC = /^relay:runs:(.+)$/

/** Knows what the log has taken of runs, and of which of them it has lost something. */
export class RunLedger {
  // By the name of the run.
  readonly #taken = new Map<string, Taken[]>()
  readonly #lossy = new Set<string>()

  /** Takes note of an event if it is of a run. Answers whether it is. */
  appended([topic = '']: readonly string[], { epoch, seq }: { epoch: string; seq: number }, body: Uint8Array): boolean {
    const name = TOPIC.exec(topic)?.[1]
    if (name === undefined) return false
    const entry = decodeEntry(body)
    if (entry === undefined) throw new Error('the log took what no relay says')
    const taken = this.#taken.get(name) ?? []
    this.#taken.set(name, taken)
    taken.push({ epoch, seq, end: isEnd(entry) ? entry : undefined })
    return true
  }

  /** The first end that the log has taken of a run: the only one. */
  endOf(name: string): End | undefined {
    return this.#taken.get(name)?.find(({ end }) => end !== undefined)?.end
  }

  /** Whether the log has lost something of a run. */
  isLossy(name: string): boolean {
    return this.#lossy.has(name)
  }

  /** What comes behind this place is lost. */
  failedOver({ epoch, seq }: LogState): void {
    this.#lose(taken => taken.epoch !== epoch || taken.seq > seq)
  }

  /** Another life of the log begins, without anything. */
  began(): void {
    this.#lose(() => true)
  }

  #lose(isLost: (taken: Taken) => boolean): void {
    for (const [name, taken] of this.#taken) if (taken.some(isLost)) this.#lossy.add(name)
  }
}

import type { Broker } from '../../lib/broker/broker.ts'

/** Counts what arrives. */
export class Listening {
  #count = 0
  #wanted = Infinity
  #resolve: () => void = () => undefined

  hear(): void {
    this.#count += 1
    if (this.#count >= this.#wanted) this.#resolve()
  }

  /** Resolves when so many more have arrived. */
  more(count: number): Promise<void> {
    this.#wanted = this.#count + count
    return new Promise(resolve => {
      this.#resolve = resolve
    })
  }
}

/** Counts the events of a topic that an engine hands on. */
export async function received(broker: Broker, topic: string): Promise<Listening> {
  const listening = new Listening()
  broker.listen({
    event: () => {
      listening.hear()
    },
    gap: (topics, reason) => {
      throw new Error(`a gap in ${topics.join()}: ${reason}`)
    },
    control: () => undefined,
    readiness: () => undefined,
    fault: (during, error) => {
      throw new Error(during, { cause: error })
    },
  })
  await broker.subscribe(topic)
  return listening
}

import { memoryBroker, type Broker } from 'koa-event-stream'
import { Deferred } from '../support/deferred.ts'

/** An engine that takes its time, as one on a network does: each answer waits until the test gives it. */
export class SlowBroker {
  /** What was asked, such as `subscribe a`, `load a,b` or `unsubscribe a`, in order. */
  readonly asked: string[] = []
  readonly broker: Broker
  readonly #answers = new Map<string, Deferred<undefined>>()

  constructor(inner: Broker = memoryBroker()) {
    const { asked } = this
    this.broker = {
      listen: listener => inner.listen(listener),
      publish: (topics, body, notes) => inner.publish(topics, body, notes),
      subscribe: async topic => {
        asked.push(`subscribe ${topic}`)
        await this.#answer(`subscribe ${topic}`).promise
        await inner.subscribe(topic)
      },
      unsubscribe: topic => {
        asked.push(`unsubscribe ${topic}`)
        inner.unsubscribe(topic)
      },
      load: async (topics, since) => {
        asked.push(`load ${topics.join()}`)
        await this.#answer('load').promise
        await inner.load(topics, since)
      },
      position: () => inner.position(),
      look: () => inner.look(),
      read: (topic, after, limit) => inner.read(topic, after, limit),
      startOfLast: (topic, count) => inner.startOfLast(topic, count),
      announce: message => inner.announce(message),
      store: inner.store,
      leases: inner.leases,
      roster: inner.roster,
      ready: true,
      close: () => inner.close(),
    }
  }

  /** Lets this question, `subscribe a` or `load`, be answered from now on. */
  allow(...questions: string[]): void {
    for (const question of questions) this.#answer(question).resolve(undefined)
  }

  /** Has this question fail. */
  fail(question: string, error: Error): void {
    this.#answer(question).reject(error)
  }

  #answer(question: string): Deferred<undefined> {
    const answer = this.#answers.get(question) ?? new Deferred<undefined>()
    answer.promise.catch(() => {})
    this.#answers.set(question, answer)
    return answer
  }
}

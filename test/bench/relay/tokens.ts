import { setTimeout } from 'node:timers/promises'
import { Deferred } from '../../support/deferred.ts'
import { markedData, now } from '../mark.ts'

/** Bytes of a token: as many as its mark takes. */
const BYTES = 32

/** How many tokens a model makes, and how many a second. */
export interface Pace {
  readonly tokens: number
  readonly rate: number
}

/** A model that makes tokens when it is told to, each with its number and the time that it was due. It never ends. */
export class Tokens {
  #seq = 0
  #next = new Deferred<Pace>()

  make(pace: Pace): void {
    const { resolve } = this.#next
    this.#next = new Deferred()
    resolve(pace)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string> {
    for (;;) {
      const { tokens, rate } = await this.#next.promise
      const first = now()
      for (let index = 0; index < tokens; index += 1) {
        const due = first + (index * 1e6) / rate
        await setTimeout(Math.ceil((due - now()) / 1_000))
        yield markedData(0, this.#seq, due, BYTES)
        this.#seq += 1
      }
    }
  }
}

import type { Publisher } from '../plan.ts'
import { news } from '../workloads/news.ts'

/** Publishes an event every so many milliseconds, to whoever reads. */
export class Pulse {
  readonly #publisher: Publisher
  readonly #interval: number
  #published = 0
  #underWay: Promise<unknown> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined

  constructor(publisher: Publisher, interval: number) {
    this.#publisher = publisher
    this.#interval = interval
  }

  get published(): number {
    return this.#published
  }

  start(): void {
    this.#beat()
    this.#timer = setInterval(() => this.#beat(), this.#interval)
  }

  /** Resolves when all has been published; rejects where something could not be. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#underWay
  }

  #beat(): void {
    this.#published += 1
    const beat = this.#publisher.follow(news(1, 1))
    this.#underWay = Promise.all([this.#underWay, beat])
    // Whoever stops it is told, too; but the clients, who miss it, complain before.
    beat.catch((error: unknown) => console.error('An event could not be published:', error))
    this.#underWay.catch(() => undefined)
  }
}

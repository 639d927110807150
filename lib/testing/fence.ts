import { randomUUID } from 'node:crypto'
import type { TestDoor } from '../koa/test-door.ts'
import type { Attempt } from './attempt.ts'
import type { Journal, Wait } from './journal.ts'

/** What the kit's own events and topics are called, or begin with. */
const KIT = 'koa-event-stream.test'

/** Whether an event or a topic is the kit's own. */
export function isOfKit(name: string): boolean {
  return name.startsWith(KIT)
}

/** The name of the kit's events. */
export const KIT_EVENT = KIT

/** Events that go behind all others to one stream, so that what is before them is known to have come. */
export class Fence {
  readonly #door: TestDoor
  readonly #progress: Pick<Journal<unknown>, 'until' | 'announce'>
  readonly #came = new Set<string>()
  // Topics of which something was lost, the kit's own among them, since somebody looked.
  #losses = 0
  #topic: string | undefined

  constructor(door: TestDoor, progress: Pick<Journal<unknown>, 'until' | 'announce'>) {
    this.#door = door
    this.#progress = progress
  }

  came(mark: string): void {
    this.#came.add(mark)
    this.#progress.announce()
  }

  /** Something of these topics is lost. */
  lost(topics: readonly string[]): void {
    if (this.#topic !== undefined && topics.includes(this.#topic)) this.#losses += 1
  }

  /** Waits until one has passed, or the connection has ended. */
  async pass(attempt: Attempt, wait: Wait): Promise<void> {
    while (attempt.reason === undefined && !(await this.#passOne(attempt, wait))) {
      // It was lost with others: one more goes behind those that come after.
    }
  }

  async #passOne(attempt: Attempt, wait: Wait): Promise<boolean> {
    const { stream, hasTopics } = attempt.visit
    if (stream === undefined || hasTopics !== true) {
      throw new TypeError(
        'settled() is for streams of the hub that have topics: wait for the events of a source by `next()`, or for its end by `closed`',
      )
    }
    const topic = `${KIT}.${stream.id}`
    const mark = randomUUID()
    const losses = this.#losses
    this.#topic = topic
    // A stream that ends meanwhile has no topics any more, which is how the wait for it ends as well.
    if (stream.closeReason === undefined) await stream.subscribe(topic)
    await this.#door.publish(topic, { event: KIT_EVENT, data: mark })
    return this.#progress.until(
      () => {
        if (this.#came.delete(mark) || attempt.reason !== undefined) return true
        return this.#losses === losses ? undefined : false
      },
      () => undefined,
      wait,
    )
  }
}

import { deferred, type Deferred } from './deferred.ts'
import { PAGE_BYTES, PAGE_TOPICS, type LogEngine, type LoggedEvent } from './log-engine.ts'
import type { Mirror } from './mirror.ts'

interface Load extends Deferred {
  readonly epoch: string
  readonly events: LoggedEvent[]
}

/**
 * Loads history into mirrors for clients that reconnect, one page at a time for all of them: thousands may reconnect at
 * once. First come, first served; concurrent loads of a topic share one.
 */
export class HistoryLoader {
  readonly #log: Pick<LogEngine, 'read'>
  readonly #loads = new Map<Mirror, Load>()
  // The number of topics per read: fewer if few fill a page, since the log looks up each of them.
  #topics = PAGE_TOPICS
  #isReading = false

  constructor(log: Pick<LogEngine, 'read'>) {
    this.#log = log
  }

  /**
   * Loads a mirror. `epoch` is that of the mirror: if the log has another one, nothing is loaded.
   *
   * @throws what the engine throws
   */
  load(mirror: Mirror, epoch: string): Promise<void> {
    const load = this.#loads.get(mirror) ?? { ...deferred(), epoch, events: [] }
    this.#loads.set(mirror, load)
    void this.#readAll()
    return load.promise
  }

  async #readAll(): Promise<void> {
    if (this.#isReading) return
    this.#isReading = true
    while (this.#loads.size > 0) await this.#readPage([...this.#loads.entries()].slice(0, this.#topics))
    this.#isReading = false
  }

  async #readPage(batch: readonly (readonly [Mirror, Load])[]): Promise<void> {
    const wishes = batch.map(([{ topic }, { events }]) => ({ topic, after: events.at(-1)?.seq ?? 0 }))
    try {
      const { state, topics } = await this.#log.read(wishes, { bytes: PAGE_BYTES })
      const served = topics.filter(({ more }) => !more).length
      this.#topics = Math.min(PAGE_TOPICS, Math.max(2, served * 2))
      for (const [index, [mirror, load]] of batch.entries()) {
        const page = topics[index]
        if (page === undefined) continue
        const isOfEpoch = state.epoch === load.epoch
        if (isOfEpoch) add(load.events, page.events)
        if (isOfEpoch && page.more) continue
        if (isOfEpoch) mirror.load({ events: load.events, last: page.last })
        this.#loads.delete(mirror)
        load.resolve()
      }
    } catch (error) {
      for (const [mirror, load] of batch) {
        this.#loads.delete(mirror)
        load.reject(error instanceof Error ? error : new Error('history could not be read', { cause: error }))
      }
    }
  }
}

// Events between two pages may have been trimmed after the first was read: drop those before them, too.
function add(events: LoggedEvent[], page: readonly LoggedEvent[]): void {
  const last = events.at(-1)
  const [next] = page
  if (last !== undefined && next !== undefined && next.previous.seq !== last.seq) events.length = 0
  for (const event of page) events.push(event)
}

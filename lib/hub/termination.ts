import type { Clock } from '../clock.ts'
import { within } from '../deadline.ts'
import { duration } from '../options.ts'
import { DEFAULT_DRAIN_WITHIN, drainStreams } from './drain.ts'
import type { FanOut } from './fan-out.ts'
import type { HubEvents } from './lifecycle.ts'
import { checkServer, closeServer, type ClosableServer } from './shutdown.ts'
import type { StreamIndex } from './stream-index.ts'

// How long `close()` waits for work that is still publishing its end, in milliseconds.
const WORK_TIMEOUT = 1_000

/** What this needs of the hub. */
export interface TerminationHub {
  readonly clock: Clock
  readonly fanOut: Pick<FanOut, 'flush'>
  emit(name: 'drain', about: HubEvents['drain'][0]): unknown
  failed(during: string, error: unknown): void
}

/** The end of a hub: `drain()`, `close()` and `shutdown()`. Each happens once; further calls wait for the same end. */
export class Termination {
  readonly #hub: TerminationHub
  readonly #streams: StreamIndex
  readonly #release: () => Promise<void>
  readonly #works = new Set<() => Promise<void>>()
  #workEnded: Promise<unknown> | undefined
  #drained: Promise<void> | undefined
  #ended: Promise<void> | undefined
  #shutDown: Promise<void> | undefined
  #isClosed = false

  /** @param release closes the parts of the hub and its broker; called once, after the drain */
  constructor(hub: TerminationHub, streams: StreamIndex, release: () => Promise<void>) {
    this.#hub = hub
    this.#streams = streams
    this.#release = release
  }

  get isDraining(): boolean {
    return this.#drained !== undefined
  }

  /** Whether all streams have ended and the hub refuses calls. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  /**
   * Registers work that publishes. It is ended at the start of a drain, before the streams are, so that clients still
   * get its last events. `end` must not reject; half of the drain's window is waited for it.
   */
  endBeforeDrain(end: () => Promise<void>): void {
    this.#works.add(end)
  }

  async drain({ within }: { within?: number } = {}): Promise<void> {
    const window = duration('within', within, { default: DEFAULT_DRAIN_WITHIN })
    this.#drained ??= this.#drain(window)
    await this.#drained
  }

  close(): Promise<void> {
    this.#ended ??= this.#close()
    return this.#ended
  }

  async shutdown(server: ClosableServer, { within }: { within?: number } = {}): Promise<void> {
    const window = duration('within', within, { default: DEFAULT_DRAIN_WITHIN })
    const checked = checkServer(server)
    this.#shutDown ??= this.#shutdown(checked, window)
    await this.#shutDown
  }

  async #drain(within: number): Promise<void> {
    this.#hub.emit('drain', { streams: this.#streams.size })
    const left = this.#works.size === 0 ? within : await this.#endWorks(within)
    this.#hub.fanOut.flush()
    await drainStreams(this.#streams.all(), left, this.#hub.clock)
  }

  // Returns the rest of the window.
  async #endWorks(window: number): Promise<number> {
    const { clock } = this.#hub
    const startedAt = clock.monotonic()
    this.#workEnded = Promise.all([...this.#works].map(end => end()))
    await this.#atMost(window / 2, this.#workEnded)
    return Math.max(1, window - (clock.monotonic() - startedAt))
  }

  async #atMost(ms: number, work: Promise<unknown>): Promise<void> {
    await within(this.#hub.clock, ms, work, () => new Error('timeout')).catch(() => undefined)
  }

  async #close(): Promise<void> {
    // Cut short a drain in progress.
    if (this.isDraining) for (const { stream } of this.#streams.all()) stream.abandon('drain')
    await this.drain({ within: 1 })
    // The streams are cut, but work still gets time to publish its end.
    if (this.#workEnded !== undefined) await this.#atMost(WORK_TIMEOUT, this.#workEnded)
    this.#isClosed = true
    await this.#release()
  }

  async #shutdown(server: ClosableServer, window: number): Promise<void> {
    const { clock } = this.#hub
    const startedAt = clock.monotonic()
    try {
      await this.drain({ within: window })
      await closeServer(server, Math.max(1, window - (clock.monotonic() - startedAt)), clock)
    } catch (error) {
      this.#hub.failed('shutdown', error)
    }
    await this.close()
  }
}

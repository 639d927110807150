import { within } from '../deadline.ts'
import type { End } from './batch.ts'
import { compactorOf } from './compactor.ts'
import { EventStreamError } from '../errors.ts'
import type { RelayConfig } from './config.ts'
import { Lifelines } from './lifelines.ts'
import { pause } from './pause.ts'
import { Producer } from './producer.ts'
import { RunStore, type RunRecord } from './run-store.ts'
import type { Source } from './source.ts'
import type { View } from './view.ts'
import { Views } from './views.ts'

// The interval at which a start checks whether another one of the same id is done, in milliseconds.
const NEXT_TRY = 30

const DRAIN: End = { kind: 'interrupted', reason: 'drain' }

type Compact = Parameters<typeof compactorOf>[0]

/** Why a run was not started. */
export type StartRefusal = 'identity-limit' | 'process-limit'

/** The runs of a relay: starts them on this instance, and finds and cancels those of all instances. */
export class Runs {
  readonly views: Views

  readonly #config: RelayConfig
  readonly #store: RunStore
  readonly #lifelines: Lifelines
  readonly #producers = new Set<Producer>()
  #compact: Compact | undefined
  // Runs that are being started, which already count towards the limit.
  #starting = 0

  constructor(config: RelayConfig) {
    const { hub, name, keep, lease } = config
    this.#config = config
    this.#store = new RunStore(hub.broker.store, name, keep)
    this.#lifelines = new Lifelines(hub.broker.leases, hub.clock, lease, error => {
      hub.failed('relay', error)
    })
    this.views = new Views(config, this.#store, this.#lifelines)
    hub.endBeforeDrain(async () => {
      await Promise.all([...this.#producers].map(producer => producer.end(DRAIN)))
    })
  }

  /** Reports a failure of the broker that a request has been answered for. */
  failed(error: unknown): void {
    this.#config.hub.failed('relay', error)
  }

  /** Sets the function that compacts events for late readers. @throws {TypeError} if another one has been set */
  compactBy(compact: Compact): void {
    if (this.#compact !== undefined && this.#compact !== compact) {
      throw new TypeError(
        '`compact` differs from that of the first `start()` of this relay: all of its runs must use the same function',
      )
    }
    this.#compact = compact
    this.views.compact = compactorOf(compact, this.#config.hub)
  }

  /** Finds the run with an id. @throws what the broker throws, as a rejection */
  find(id: string): Promise<RunRecord | undefined> {
    return this.#store.find(id)
  }

  /**
   * Finds the run with an id, or starts it if there is none or the last one was interrupted. Of any number of
   * concurrent callers on all instances, one starts it.
   *
   * @throws {EventStreamError} `ERR_BROKER`, as a rejection, also if a concurrent start does not finish within `lease`
   */
  async start(id: string, owner: string, source: Source): Promise<RunRecord | StartRefusal> {
    const { hub, name, lease } = this.#config
    const { clock, broker } = hub
    const gate = { key: `relay:gate:${name}:${id}`, holder: clock.id() }
    for (const until = clock.monotonic() + lease; ;) {
      const known = await this.#current(id)
      if (known !== undefined) return known
      if (await broker.leases.lease(gate, lease, 1)) break
      if (clock.monotonic() >= until) throw unanswered('another start of the same run has not finished')
      await pause(clock, NEXT_TRY)
    }
    try {
      // Another caller may have held the gate in between.
      return (await this.#current(id)) ?? (await this.#begin(id, owner, source))
    } finally {
      broker.leases.release([gate]).catch((error: unknown) => {
        hub.failed('relay', error)
      })
    }
  }

  /** Cancels a run, unless it has ended. @throws what the broker throws, as a rejection */
  async cancel(record: RunRecord): Promise<boolean> {
    const { hub, lease } = this.#config
    const view = await this.views.open(record.name)
    if (view === undefined) return false
    const waiting = new AbortController()
    try {
      const ended = view.untilEnded(waiting.signal)
      await view.publishEnd({ kind: 'cancelled', reason: 'request' })
      // Once the end is in the log all instances see it; it need not be saved yet.
      await within(hub.clock, lease, ended, () => unanswered('the end of the run has not arrived from the log'))
      return true
    } finally {
      waiting.abort()
      this.views.release(view)
    }
  }

  // An interrupted run may be started again.
  async #current(id: string): Promise<RunRecord | undefined> {
    const record = await this.#store.find(id)
    if (record === undefined) return undefined
    const view = await this.views.open(record.name)
    if (view === undefined) return undefined
    this.views.release(view)
    return view.log.end?.kind === 'interrupted' ? undefined : record
  }

  async #begin(id: string, owner: string, source: Source): Promise<RunRecord | StartRefusal> {
    const { hub, limits, name: relay } = this.#config
    if (this.#producers.size + this.#starting >= limits.process) return 'process-limit'
    const record: RunRecord = { name: hub.clock.id().replaceAll('-', ''), owner }
    const { name } = record
    this.#starting += 1
    let view: View | undefined
    try {
      if (!(await this.#lifelines.take(name, `relay:of:${relay}:${owner}`, limits.identity))) return 'identity-limit'
      await this.#store.enter(id, record)
      view = await this.views.open(name)
      if (view === undefined) throw unanswered('the store has lost the run that was just saved')
      this.#produce(id, record, view, source)
      return record
    } finally {
      this.#starting -= 1
      if (view === undefined) await this.#lifelines.giveBack(name)
    }
  }

  #produce(id: string, record: RunRecord, view: View, source: Source): void {
    const { hub, keep, lease, linger } = this.#config
    const topic = this.views.topicOf(record.name)
    const producer = new Producer({ hub, keep, lease, linger, view, topic, store: this.#store })
    this.#producers.add(producer)
    hub.runBegan()
    view.producer = {
      lost: () => {
        this.#store.enter(id, record, view.log.state()).catch((error: unknown) => {
          hub.failed('relay', error)
        })
      },
    }
    // It was being started when the drain ended the others.
    if (hub.draining) void producer.end(DRAIN)
    void producer.run(source).then(async () => {
      this.#producers.delete(producer)
      hub.runEnded(view.log.end?.kind ?? 'interrupted')
      await this.#lifelines.giveBack(record.name)
      view.producer = undefined
      this.views.release(view)
    })
  }
}

function unanswered(message: string): EventStreamError {
  return new EventStreamError('ERR_BROKER', message)
}

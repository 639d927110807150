import type { Clock } from '../clock.ts'
import type { HubEngine } from '../hub/engine.ts'
import type { Batch as DueBatch } from '../hub/fan-out.ts'
import type { Member } from '../hub/registry.ts'
import { decodeEntry, encodeEntry, isEnd, type End, type Entry } from './batch.ts'
import { Changes } from './changes.ts'
import type { Lifelines, Watched } from './lifelines.ts'
import { RunEncoder } from './run-encoder.ts'
import type { RunLog } from './run-log.ts'
import type { RunStore } from './run-store.ts'

// Events that are read of history at once.
const PAGE = 200

// How often, and after how many milliseconds, what is missing is looked for again before it is given up: the producer keeps
// what it has said when it hears that the log has lost it.
const ATTEMPTS = 4
const PAUSE = 250

// Milliseconds after which an instance that a run is not on keeps its answer, if nobody has.
const OTHERS_TURN = 1_000

export interface ViewParts {
  readonly hub: HubEngine
  readonly store: RunStore
  readonly lifelines: Lifelines
  /** The name of the run, and its topic. */
  readonly name: string
  readonly topic: string
  readonly log: RunLog
}

/** What one instance knows of a run: it listens to its topic for as long as it has readers or the producer of it. */
export class View implements Member, Watched {
  due: DueBatch | undefined
  /** What the run's producer does when the log may have been lost, where that is on this instance and lives. */
  producer: { lost(): void } | undefined
  readonly name: string
  readonly log: RunLog
  readonly holder = undefined
  readonly encoder: RunEncoder

  readonly #parts: ViewParts
  readonly #changing = new Set<Changes>()
  // What has come while what was before is being loaded.
  #held: Entry[] | undefined = []
  #isListening = false
  #wasHeard = false
  // How often an end was published, and may not have come.
  #published = 0
  #keeping: Promise<void> | undefined

  constructor(parts: ViewParts) {
    this.#parts = parts
    this.name = parts.name
    this.log = parts.log
    this.encoder = new RunEncoder(parts.log, parts.name, parts.hub)
  }

  get clock(): Clock {
    return this.#parts.hub.clock
  }

  /** Answers whether there is such a run. @throws what the broker throws, as a rejection */
  async open(): Promise<boolean> {
    const { hub, store, lifelines, name, topic } = this.#parts
    if (await store.isFinished(name)) return this.#adopt()
    this.#isListening = true
    try {
      await hub.registry.join(this, [topic])
      const isKnown = await this.#adopt()
      if (isKnown) await this.#readHistory()
      this.#releaseHeld()
      if (!isKnown) this.close()
      else if (this.log.end === undefined) lifelines.watch(name, this)
      return isKnown
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** Waits for the end, until the signal is aborted. */
  async untilEnded(signal: AbortSignal): Promise<void> {
    const changes = this.changes(signal)
    while (this.log.end === undefined && !signal.aborted) await changes.next()
  }

  /** Answers what waits for changes, until the signal is aborted. */
  changes(signal: AbortSignal): Changes {
    return new Changes(this.#changing, signal)
  }

  /**
   * Publishes an end, which is the run's unless another one was before it.
   *
   * @param last the number of the last event, where that may not have been heard yet
   * @throws {EventStreamError} `ERR_BROKER`, as a rejection: it may be repeated
   */
  async publishEnd(end: End, last = this.log.last): Promise<void> {
    const { hub, topic, name } = this.#parts
    if (this.log.end !== undefined) return
    // One end is in the log, whoever says it; but the log may remember its key for longer than the end itself.
    const again = this.#published === 0 ? '' : `:${String(this.#published)}`
    await hub.append([topic], encodeEntry({ ...end, last }), { key: `relay:end:${name}${again}` })
    this.#published += 1
  }

  /** Once the answer is kept, where the run has ended. */
  async kept(): Promise<void> {
    await this.#keeping
  }

  close(): void {
    const { hub, lifelines, topic, name } = this.#parts
    lifelines.unwatch(name)
    if (this.#isListening) hub.registry.leave(this, [topic])
    this.#isListening = false
    this.due = undefined
  }

  // What the fan-out asks.

  awaits(): boolean {
    return this.#isListening
  }

  flush(): void {
    const { due } = this
    this.due = undefined
    for (const { frame } of due?.frames() ?? []) {
      const entry = decodeEntry(frame)
      if (entry !== undefined) this.#take(entry)
    }
  }

  tell(): void {
    this.flush()
    this.producer?.lost()
    this.#reload()
  }

  // What the lifelines ask.

  hasBeenHeard(): boolean {
    const wasHeard = this.#wasHeard
    this.#wasHeard = false
    return wasHeard
  }

  died(): void {
    // Where that fails the next two looks find it dead again.
    this.publishEnd({ kind: 'interrupted', reason: 'lost' }).catch((error: unknown) => {
      this.#failed(error)
    })
  }

  #take(entry: Entry): void {
    this.#wasHeard = true
    if (this.#held !== undefined) this.#held.push(entry)
    else if (this.log.isBeyond(entry)) {
      this.#held = [entry]
      this.#reload()
    } else this.#append(entry)
  }

  #append(entry: Entry): void {
    const hadEnded = this.log.end !== undefined
    this.log.append(entry)
    if (this.log.end !== undefined && !hadEnded) this.#ended()
    this.#changed()
  }

  #changed(): void {
    for (const changes of this.#changing) changes.notify()
  }

  #ended(): void {
    const { lifelines, name } = this.#parts
    lifelines.unwatch(name)
    this.#keeping = this.#keep().catch((error: unknown) => {
      this.#failed(error)
    })
  }

  // The instance that the run is on has heard all of it. Where it died, one that heard the end does it.
  async #keep(): Promise<void> {
    const { hub, store, name } = this.#parts
    if (this.producer === undefined) {
      await new Promise<void>(resolve => {
        hub.clock.after(OTHERS_TURN, resolve)
      })
      if (await store.isFinished(name)) return
    }
    await store.finish(name, this.log.state())
  }

  async #adopt(): Promise<boolean> {
    const state = await this.#parts.store.load(this.name)
    if (state === undefined) return false
    const hadEnded = this.log.end !== undefined
    this.log.adopt(state)
    if (this.log.end !== undefined && !hadEnded) this.#parts.lifelines.unwatch(this.name)
    this.#changed()
    return true
  }

  async #readHistory(): Promise<void> {
    const { hub, topic } = this.#parts
    if (this.#isListening) await hub.broker.load([topic], 0)
    if (!this.#isListening) return
    for (let after = 0, more = true; more;) {
      const slice = hub.broker.read(topic, after, PAGE)
      for (const { frame, seq } of slice.events) {
        const entry = decodeEntry(frame)
        if (entry !== undefined) this.#takeOld(entry)
        after = seq
      }
      ;({ more } = slice)
    }
  }

  // What is missing before a batch is looked for when the next one comes. Behind an end nothing does.
  #takeOld(entry: Entry): void {
    if (!this.log.isBeyond(entry)) this.#append(entry)
    else if (isEnd(entry)) this.#held?.push(entry)
  }

  // Events are missing, or may be.
  #reload(): void {
    if (this.log.end !== undefined || !this.#isListening) return
    this.#held ??= []
    this.#fetch().catch((error: unknown) => {
      this.#failed(error)
      this.#releaseHeld()
    })
  }

  async #fetch(): Promise<void> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      await this.#adopt()
      await this.#readHistory()
      const [next] = this.#held ?? []
      if (next === undefined || !this.log.isBeyond(next)) break
      await new Promise<void>(resolve => {
        this.#parts.hub.clock.after(PAUSE, resolve)
      })
    }
    this.#releaseHeld()
  }

  #releaseHeld(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const entry of held) this.#append(entry)
  }

  #failed(error: unknown): void {
    this.#parts.hub.failed('relay', error)
  }
}

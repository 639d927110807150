import type { Clock } from '../clock.ts'
import type { HubEngine } from '../hub/engine.ts'
import type { Batch as DueBatch } from '../hub/fan-out.ts'
import type { Member } from '../hub/registry.ts'
import { decodeEntry, encodeEntry, isEnd, type End, type Entry } from './batch.ts'
import { Changes } from './changes.ts'
import type { Lifelines, Watched } from './lifelines.ts'
import { pause } from './pause.ts'
import { RunEncoder } from './run-encoder.ts'
import type { RunLog } from './run-log.ts'
import type { RunStore } from './run-store.ts'

// The page size when history is read, in events.
const PAGE = 200

// How often missing entries are looked for before they are given up, and the pause between attempts in milliseconds:
// the producer saves its state when it learns that the log has lost it.
const ATTEMPTS = 4
const PAUSE = 250

// The delay in milliseconds after which an instance other than the run's saves the result, if it is not saved by then.
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

/**
 * One instance's view of a run. It subscribes to the run's topic as long as the run has readers or its producer here.
 *
 * One file, since live entries, loading and reloading all change the same log and the same held entries.
 */
export class View implements Member, Watched {
  due: DueBatch | undefined
  /** Notifies the run's producer that the log may be lost, if the producer is on this instance and alive. */
  producer: { lost(): void } | undefined
  readonly name: string
  readonly log: RunLog
  readonly holder = undefined
  readonly encoder: RunEncoder

  readonly #parts: ViewParts
  readonly #changing = new Set<Changes>()
  // Entries that arrive while earlier ones are being loaded.
  #held: Entry[] | undefined = []
  #isListening = false
  #wasHeard = false
  // How often an end was published, which may have been lost.
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

  /** Returns whether the run exists. @throws what the broker throws, as a rejection */
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

  /** Resolves once the run has ended or the signal is aborted. */
  async untilEnded(signal: AbortSignal): Promise<void> {
    const changes = this.changes(signal)
    while (this.log.end === undefined && !signal.aborted) await changes.next()
  }

  /** Creates a waiter for changes, until the signal is aborted. */
  changes(signal: AbortSignal): Changes {
    return new Changes(this.#changing, signal)
  }

  /**
   * Publishes an end, which ends the run unless another end came first.
   *
   * @param last the number of the last event, if this view may not have received it yet
   * @throws {EventStreamError} `ERR_BROKER`, as a rejection: the call may be repeated
   */
  async publishEnd(end: End, last = this.log.last): Promise<void> {
    const { hub, topic, name } = this.#parts
    if (this.log.end !== undefined) return
    // With the key the log takes only one end, from any instance. But it may remember a key longer than the event.
    const again = this.#published === 0 ? '' : `:${String(this.#published)}`
    await hub.append([topic], encodeEntry({ ...end, last }), { key: `relay:end:${name}${again}` })
    this.#published += 1
  }

  /** Resolves once the result is saved, if the run has ended. */
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

  // Called by the fan-out.

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

  // Called by the lifelines.

  hasBeenHeard(): boolean {
    const wasHeard = this.#wasHeard
    this.#wasHeard = false
    return wasHeard
  }

  died(): void {
    // If that fails, the next two checks report the death again.
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

  // The run's own instance saves the result at once. If it has died, another one that received the end does.
  async #keep(): Promise<void> {
    const { hub, store, name } = this.#parts
    if (this.producer === undefined) {
      await pause(hub.clock, OTHERS_TURN)
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

  // Skips a batch with missing events before it: the next live batch triggers a search for them. None follows an end.
  #takeOld(entry: Entry): void {
    if (!this.log.isBeyond(entry)) this.#append(entry)
    else if (isEnd(entry)) this.#held?.push(entry)
  }

  // Loads events that are missing, or may be.
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
      await pause(this.clock, PAUSE)
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

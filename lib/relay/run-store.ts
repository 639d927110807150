import type { KeyValueStore } from '../broker/key-value-store.ts'
import type { RunState } from './run-log.ts'

/** One run. Another one that is started with its id later has another name. */
export interface RunRecord {
  /** Unique, of `[0-9a-f]`: the part of its events' ids before their numbers. */
  readonly name: string
  /** The `id` of the identity that has started it. */
  readonly owner: string
}

const NOTHING: RunState = { first: 1, events: [] }

// How long what is kept outlives a run that ends at the last moment, in milliseconds.
const SLACK = 60_000

/**
 * What is kept of runs beside the log, for instances and readers that come later. States are written by the instance that a
 * run is on, and are all true: what has been said up to some number. A run's end is kept apart from them, so that an
 * instance that was frozen cannot write an older state over it.
 */
export class RunStore {
  readonly #store: KeyValueStore
  readonly #prefix: string
  readonly #keep: number

  /** @param keep milliseconds that a run takes at most, and that its answer is kept for */
  constructor(store: KeyValueStore, relay: string, keep: number) {
    this.#store = store
    this.#prefix = `relay:${relay}`
    this.#keep = keep
  }

  async find(id: string): Promise<RunRecord | undefined> {
    return read(await this.#store.get(this.#idKey(id))) as RunRecord | undefined
  }

  /** Makes a run the one with this id, with what it has said so far. */
  async enter(id: string, record: RunRecord, state: RunState = NOTHING): Promise<void> {
    // Whoever finds it is to find that, too.
    await this.save(record.name, state)
    await this.#store.set(this.#idKey(id), JSON.stringify(record), this.#life)
  }

  async save(run: string, state: RunState): Promise<void> {
    await this.#store.set(this.#stateKey(run), JSON.stringify(state), this.#life)
  }

  /** Keeps the whole answer of a run that has ended. */
  async finish(run: string, state: RunState): Promise<void> {
    await this.#store.set(this.#endKey(run), JSON.stringify(state), this.#keep)
    // The answer stands for it.
    await this.#store.take(this.#stateKey(run))
  }

  async isFinished(run: string): Promise<boolean> {
    return (await this.#store.get(this.#endKey(run))) !== undefined
  }

  /** What a run has said: all of it, if it has ended. `undefined` where it is not known, or not any more. */
  async load(run: string): Promise<RunState | undefined> {
    const ended = await this.#store.get(this.#endKey(run))
    if (ended !== undefined) return read(ended) as RunState
    const state = await this.#store.get(this.#stateKey(run))
    // It may have ended in between.
    return read(state ?? (await this.#store.get(this.#endKey(run)))) as RunState | undefined
  }

  get #life(): number {
    return this.#keep * 2 + SLACK
  }

  // An id is the application's, and may have any characters.
  #idKey(id: string): string {
    return `${this.#prefix}:id:${encodeURIComponent(id)}`
  }

  #stateKey(run: string): string {
    return `${this.#prefix}:state:${run}`
  }

  #endKey(run: string): string {
    return `${this.#prefix}:end:${run}`
  }
}

// Nobody else writes there.
function read(value: string | undefined): unknown {
  return value === undefined ? undefined : JSON.parse(value)
}

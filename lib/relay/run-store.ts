import type { KeyValueStore } from '../broker/key-value-store.ts'
import type { RunState } from './run-log.ts'

/** One run. A later run with the same id has another name. */
export interface RunRecord {
  /** Unique, of `[0-9a-f]`: the prefix of its events' ids, before the numbers. */
  readonly name: string
  /** The `id` of the identity that started it. */
  readonly owner: string
}

const NOTHING: RunState = { first: 1, events: [] }

// How long the state is kept beyond the latest possible end of a run, in milliseconds.
const SLACK = 60_000

/**
 * The store of runs, for instances and readers that come later. States are written by the run's instance, and every
 * state is correct: the events up to some number. The end is stored under another key, so that an instance that was
 * frozen cannot overwrite it with an older state.
 */
export class RunStore {
  readonly #store: KeyValueStore
  readonly #prefix: string
  readonly #keep: number

  /** @param keep the most milliseconds that a run takes, and for which its result is kept */
  constructor(store: KeyValueStore, relay: string, keep: number) {
    this.#store = store
    this.#prefix = `relay:${relay}`
    this.#keep = keep
  }

  async find(id: string): Promise<RunRecord | undefined> {
    return read(await this.#store.get(this.#idKey(id))) as RunRecord | undefined
  }

  /** Registers a run under an id, with its current state. */
  async enter(id: string, record: RunRecord, state: RunState = NOTHING): Promise<void> {
    // The state first, so that whoever finds the run finds that, too.
    await this.save(record.name, state)
    await this.#store.set(this.#idKey(id), JSON.stringify(record), this.#life)
  }

  async save(run: string, state: RunState): Promise<void> {
    await this.#store.set(this.#stateKey(run), JSON.stringify(state), this.#life)
  }

  /** Saves the complete result of a run that has ended. */
  async finish(run: string, state: RunState): Promise<void> {
    await this.#store.set(this.#endKey(run), JSON.stringify(state), this.#keep)
    // The result replaces the state.
    await this.#store.take(this.#stateKey(run))
  }

  async isFinished(run: string): Promise<boolean> {
    return (await this.#store.get(this.#endKey(run))) !== undefined
  }

  /** The state of a run: complete, if it has ended. `undefined` if it is unknown, or no longer kept. */
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

  // An id of the application may contain any characters.
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

// No check: nothing else writes these keys.
function read(value: string | undefined): unknown {
  return value === undefined ? undefined : JSON.parse(value)
}

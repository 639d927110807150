import { BackOff } from './back-off.ts'
import { bounded } from './bounded.ts'
import type { Environment } from './environment.ts'
import type { ConnectOptions, Loaded, LoadReason } from './options.ts'

/** How long a state may take to load, in milliseconds. */
const LOAD_TIME = 30_000

/** What a loader does with the events of its stream. */
export interface LoaderHost {
  /** Keeps events waiting until the answer is called. */
  hold(): () => void
  /** The state includes the events up to this id. */
  include(cursor: string): void
  failed(error: unknown): void
  /** Whether it is being waited for another try. */
  stuck(isStuck: boolean): void
}

/** Loads the application's state, and keeps events waiting meanwhile. */
export class Loader {
  readonly #env: Environment
  readonly #load: NonNullable<ConnectOptions['load']>
  readonly #host: LoaderHost
  #backOff = new BackOff()
  #why: LoadReason | undefined
  #current = new AbortController()
  #cancelWait: () => void = () => undefined
  #release: (() => void) | undefined

  constructor(env: Environment, load: NonNullable<ConnectOptions['load']>, host: LoaderHost) {
    this.#env = env
    this.#load = load
    this.#host = host
  }

  /** Loads; what is being loaded for another reason is loaded anew for both. */
  run(why: LoadReason): void {
    this.#why = merged(this.#why, why)
    this.#release ??= this.#host.hold()
    void this.#try(this.#why)
  }

  stop(): void {
    this.#current.abort()
    this.#cancelWait()
    this.#why = undefined
  }

  async #try(why: LoadReason): Promise<void> {
    this.#current.abort()
    this.#cancelWait()
    const { signal } = (this.#current = new AbortController())
    try {
      const limit = { what: 'load', ms: LOAD_TIME, stop: signal }
      const answer: unknown = await bounded<Loaded | void>(this.#env, limit, calling => this.#load(why, calling))
      if (signal.aborted) return
      this.#include(answer)
    } catch (error) {
      if (signal.aborted) return
      this.#host.failed(error)
      this.#host.stuck(true)
      const { wait } = this.#backOff.next(0, 0, this.#env.random())
      this.#cancelWait = this.#env.after(wait, () => void this.#try(why))
      return
    }
    this.#host.stuck(false)
    this.#backOff = new BackOff()
    this.#why = undefined
    const release = this.#release
    this.#release = undefined
    release?.()
  }

  #include(answer: unknown): void {
    if (answer === undefined || answer === null) return
    const cursor: unknown = typeof answer === 'object' && 'cursor' in answer ? answer.cursor : undefined
    if (typeof cursor === 'string') this.#host.include(cursor)
    else if (cursor !== undefined || typeof answer !== 'object') {
      this.#host.failed(new TypeError('`load` must answer nothing or { cursor: string }'))
    }
  }
}

function merged(before: LoadReason | undefined, why: LoadReason): LoadReason {
  if (before === undefined || before.reason === 'start' || why.reason === 'start') return before ?? why
  return { reason: why.reason, topics: [...new Set([...before.topics, ...why.topics])] }
}

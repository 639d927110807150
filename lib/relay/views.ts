import type { RelayConfig } from './config.ts'
import type { Lifelines } from './lifelines.ts'
import { RunLog, type Compactor } from './run-log.ts'
import type { RunStore } from './run-store.ts'
import { View } from './view.ts'

interface Shared {
  readonly view: View
  readonly opening: Promise<boolean>
  users: number
}

/** The views of this instance: one for each run, as long as it is used. */
export class Views {
  readonly #config: RelayConfig
  readonly #store: RunStore
  readonly #lifelines: Lifelines
  readonly #views = new Map<string, Shared>()
  /** Compacts events, once a route of the relay has set it. */
  compact: Compactor | undefined

  constructor(config: RelayConfig, store: RunStore, lifelines: Lifelines) {
    this.#config = config
    this.#store = store
    this.#lifelines = lifelines
  }

  /**
   * Opens a run for one user, who must `release` it; `undefined` if there is none, or no longer.
   *
   * @throws what the broker throws, as a rejection
   */
  async open(name: string): Promise<View | undefined> {
    const shared = this.#views.get(name) ?? this.#make(name)
    shared.users += 1
    let isKnown = false
    try {
      isKnown = await shared.opening
    } finally {
      if (!isKnown) this.release(shared.view)
    }
    return isKnown ? shared.view : undefined
  }

  release({ name }: View): void {
    const shared = this.#views.get(name)
    if (shared === undefined) return
    shared.users -= 1
    if (shared.users > 0) return
    this.#views.delete(name)
    shared.view.close()
  }

  topicOf(name: string): string {
    return `relay:${this.#config.name}:${name}`
  }

  #make(name: string): Shared {
    const { hub, limits } = this.#config
    const view = new View({
      hub,
      store: this.#store,
      lifelines: this.#lifelines,
      name,
      topic: this.topicOf(name),
      log: new RunLog(limits.size, this.compact),
    })
    const shared = { view, opening: view.open(), users: 0 }
    this.#views.set(name, shared)
    return shared
  }
}

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

/** What this instance knows of runs: one view of each, for as long as somebody uses it. */
export class Views {
  readonly #config: RelayConfig
  readonly #store: RunStore
  readonly #lifelines: Lifelines
  readonly #views = new Map<string, Shared>()
  /** What makes one event of many, once a route of the relay says it. */
  compact: Compactor | undefined

  constructor(config: RelayConfig, store: RunStore, lifelines: Lifelines) {
    this.#config = config
    this.#store = store
    this.#lifelines = lifelines
  }

  /**
   * Opens a run for one user, who is to `release` it; `undefined` where there is none, or none any more.
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

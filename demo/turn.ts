import { randomUUID } from 'node:crypto'
import type { Shelf, Shelves } from './storage/shelf.ts'

/** How long a turn lasts unless it is taken again, in milliseconds. */
const LASTS = 3_000

interface Holder {
  readonly process: string
  /** Milliseconds since 1970. */
  readonly until: number
}

/** Something that one process of several does, and another one when that is gone. */
export class Turn {
  readonly #process = randomUUID()
  readonly #holders: Shelf<Holder>
  readonly #name: string

  constructor(shelves: Shelves, name: string) {
    this.#holders = shelves.shelf('turns')
    this.#name = name
  }

  /** Takes the turn if nobody has it, or keeps it. */
  async isOurs(now = Date.now()): Promise<boolean> {
    const { process } = await this.#holders.update(this.#name, holder =>
      holder === undefined || holder.process === this.#process || holder.until < now
        ? { process: this.#process, until: now + LASTS }
        : holder,
    )
    return process === this.#process
  }
}

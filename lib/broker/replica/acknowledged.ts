import type { Position } from '../../wire/cursor.ts'

// Topics of which the last published event is remembered.
const MOST = 1_000

/**
 * The last event of each topic that Redis acknowledged to this process. If the log does not know it any more, a fail-over
 * has lost it (Redis replicates after it has answered), and this process may be the only one that can tell.
 */
export class Acknowledged {
  #epoch = ''
  readonly #last = new Map<string, number>()

  /**
   * Remembers an event, unless it shows that the log has lost the one that is remembered.
   *
   * @param previous the event before it on the topic, as the log says
   * @returns whether that one is lost
   */
  add(topic: string, { epoch, seq }: Position, previous: number): boolean {
    if (epoch !== this.#epoch) this.#begin(epoch)
    const known = this.#last.get(topic) ?? 0
    if (previous < known && known < seq) return true
    this.#last.delete(topic)
    this.#last.set(topic, Math.max(seq, known))
    for (const oldest of this.#last.keys()) {
      if (this.#last.size <= MOST) break
      this.#last.delete(oldest)
    }
    return false
  }

  /** The `seq` of the last event of each topic, if they are of this life of the log; of any if there is none yet. */
  of(epoch: string): ReadonlyMap<string, number> {
    return new Map(epoch === '' || epoch === this.#epoch ? this.#last : [])
  }

  #begin(epoch: string): void {
    this.#epoch = epoch
    this.#last.clear()
  }
}

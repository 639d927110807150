/** Something that is to happen. */
export class Moment {
  readonly at: number
  readonly order: number
  run: (() => void) | undefined

  constructor(at: number, order: number, run: () => void) {
    this.at = at
    this.order = order
    this.run = run
  }

  /** It is not to happen. */
  cancel(): void {
    this.run = undefined
  }

  isBefore({ at, order }: Moment): boolean {
    return this.at < at || (this.at === at && this.order < order)
  }
}

/**
 * The one time of a simulated world, in milliseconds since it began, and all that is to happen in it. What is due at the
 * same moment happens in the order in which it was planned. Nothing happens by itself: see `live`.
 */
export class VirtualTime {
  /** Milliseconds since the world began. */
  now = 0
  /** How many things have happened. */
  steps = 0
  // A heap: each moment is before the two at twice its place.
  readonly #moments: Moment[] = []
  #order = 0

  /** Plans something. */
  after(ms: number, run: () => void): Moment {
    const moment = new Moment(this.now + Math.max(0, ms), (this.#order += 1), run)
    this.#add(moment)
    return moment
  }

  /** Lets the next thing happen. Answers whether there was one. */
  step(): boolean {
    for (let next = this.#take(); next !== undefined; next = this.#take()) {
      const { run } = next
      if (run === undefined) continue
      this.now = next.at
      this.steps += 1
      run()
      return true
    }
    return false
  }

  #add(moment: Moment): void {
    const heap = this.#moments
    let place = heap.push(moment) - 1
    while (place > 0) {
      const above = (place - 1) >>> 1
      const parent = heap[above]
      if (parent === undefined || parent.isBefore(moment)) break
      heap[place] = parent
      place = above
    }
    heap[place] = moment
  }

  #take(): Moment | undefined {
    const heap = this.#moments
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    let place = 0
    for (let below = 1; below < heap.length; below = place * 2 + 1) {
      const left = heap[below]
      const right = heap[below + 1]
      const isRight = left !== undefined && right?.isBefore(left) === true
      const child = isRight ? right : left
      if (child === undefined || last.isBefore(child)) break
      heap[place] = child
      place = isRight ? below + 1 : below
    }
    heap[place] = last
    return first
  }
}

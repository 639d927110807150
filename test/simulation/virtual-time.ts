/** Something that is to happen. */
interface Moment {
  readonly at: number
  readonly order: number
  run: (() => void) | undefined
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

  /** Plans something; the answer cancels it. */
  after(ms: number, run: () => void): () => void {
    const moment: Moment = { at: this.now + Math.max(0, ms), order: (this.#order += 1), run }
    this.#add(moment)
    return () => {
      moment.run = undefined
    }
  }

  /** Lets the next thing happen. Answers whether there was one. */
  step(): boolean {
    for (let next = this.#take(); next !== undefined; next = this.#take()) {
      if (next.run === undefined) continue
      this.now = next.at
      this.steps += 1
      next.run()
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
      if (parent === undefined || isBefore(parent, moment)) break
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
      const [left, right] = [heap[below], heap[below + 1]]
      const isRight = left !== undefined && right !== undefined && isBefore(right, left)
      const child = isRight ? right : left
      if (child === undefined || isBefore(last, child)) break
      heap[place] = child
      place = isRight ? below + 1 : below
    }
    heap[place] = last
    return first
  }
}

function isBefore(a: Moment, b: Moment): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}

// Steps a turn of the real event loop. Node runs ticks and microtasks to their end after each `setImmediate` task, so that
// what a step causes is over before the next one; only going around the loop would cost more than most steps do.
const STEPS = 64

/** Lets things happen, one after another, each with all that it causes, until `isOver` says so or nothing is left. */
export function live(time: VirtualTime, isOver: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    let hasEnded = false
    const step = (): void => {
      if (hasEnded) return
      try {
        hasEnded = isOver() || !time.step()
        if (hasEnded) resolve()
      } catch (error) {
        hasEnded = true
        reject(error)
      }
    }
    const round = (): void => {
      if (hasEnded) return
      for (let n = 0; n < STEPS; n += 1) setImmediate(step)
      setImmediate(round)
    }
    round()
  })
}

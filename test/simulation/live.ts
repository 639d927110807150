/** What goes on step by step. */
export interface Life {
  /** Goes on, by something with all that it causes at once. Answers whether there is more to come. */
  step(): boolean
}

// Steps a turn of the real event loop. Node runs ticks and microtasks to their end after each `setImmediate` task, so that
// what a step causes is over before the next one; only going around the loop would cost more than most steps do.
const STEPS = 64

/** Lets a life go on until it is over. */
export function live(life: Life): Promise<void> {
  return new Promise((resolve, reject) => {
    let isOver = false
    const step = (): void => {
      if (isOver) return
      try {
        isOver = !life.step()
        if (isOver) resolve()
      } catch (error) {
        isOver = true
        reject(error)
      }
    }
    const round = (): void => {
      if (isOver) return
      for (let n = 0; n < STEPS; n += 1) setImmediate(step)
      setImmediate(round)
    }
    round()
  })
}

import type { Clock } from '../clock.ts'

/** Lets others have a turn of the event loop. */
export function turn(clock: Clock): Promise<void> {
  return new Promise(resolve => {
    clock.turn(resolve)
  })
}

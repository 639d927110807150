import type { Clock } from '../clock.ts'

/** Yields to the event loop for one turn. */
export function turn(clock: Clock): Promise<void> {
  return new Promise(resolve => {
    clock.turn(resolve)
  })
}

import type { EventInput } from '../../lib/wire/event.ts'
import type { Ledger } from './ledger.ts'
import type { SimulatedProcess } from './simulated-process.ts'

/** A piece of a topic's state. */
export interface StatePiece {
  readonly topic: string
  /** How many events had been taken when it was made: it has all of them. */
  readonly count: number
  /** How many pieces come behind it. */
  readonly left: number
}

const MOST_PIECES = 3

/** The state of a topic, as an application would make it: all that the log has taken when it is asked, in its own time. */
export async function* stateOf(topic: string, ledger: Ledger, process: SimulatedProcess): AsyncGenerator<EventInput> {
  const { count } = ledger
  const pieces = 1 + Math.floor(process.random() * MOST_PIECES)
  for (let left = pieces - 1; left >= 0; left -= 1) {
    await new Promise<void>(resolve => process.after(process.random() ** 3 * 200, resolve))
    if (process.random() < 0.02) throw new Error('the state cannot be made')
    const piece: StatePiece = { topic, count, left }
    yield { event: 'state', data: `${JSON.stringify(piece)} ${'s'.repeat(process.random() * 1_000)}` }
  }
}

import type { EventInput } from '../../lib/wire/event.ts'
import type { StatePiece } from './client-view.ts'
import type { Ledger } from './ledger.ts'
import type { SimulatedProcess } from './simulated-process.ts'

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

import type { EventInput } from '../../lib/wire/event.ts'
import type { BareEvent } from '../../lib/relay/batch.ts'
import type { SimulatedProcess } from './simulated-process.ts'

/** What a source says, and how. */
export interface Answer {
  /** The id that clients ask for it by. */
  readonly id: string
  readonly tokens: number
  /** Milliseconds between two tokens at most. */
  readonly pause: number
  /** Whether the source fails behind its last token. */
  readonly fails: boolean
}

/** The token with a number: all that there is to know of it. */
export function tokenOf(number: number): string {
  return `<${number}${'.'.repeat(number % 40)}>`
}

/** What somebody has in the end who has the tokens up to a number. */
export function textOf(number: number): string {
  return Array.from({ length: number }, (_, index) => tokenOf(index + 1)).join('')
}

export async function* say(answer: Answer, process: SimulatedProcess, signal: AbortSignal): AsyncGenerator<EventInput> {
  for (let number = 1; number <= answer.tokens; number += 1) {
    // Some come at once.
    if (process.random() < 0.7) {
      await new Promise<void>(resolve => process.after(process.random() * answer.pause, resolve))
    }
    if (signal.aborted) return
    yield { event: 'token', data: tokenOf(number) }
  }
  if (answer.fails) throw new Error('the model has hung up')
}

/** One event in place of many. */
export function compacted(events: readonly BareEvent[]): BareEvent {
  return ['text', events.map(([, data]) => data).join('')]
}

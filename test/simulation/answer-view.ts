import { END_KINDS } from '../../lib/relay/batch.ts'
import { parseCursor } from '../../lib/wire/cursor.ts'
import { readBlock } from './block.ts'
import { textOf, tokenOf } from './answer.ts'
import type { RunLedger } from './run-ledger.ts'

/** What one reader of a run has been sent, and what is wrong with that. */
export class AnswerView {
  readonly complaints: string[] = []
  /** What the reader comes back with. */
  cursor: string | undefined
  /** The name of the run that it reads. */
  run: string | undefined
  /** The name of the event that said the end. */
  end: string | undefined
  readonly #ledger: RunLedger
  #number = 0
  // Whether the next event need not be the next number: it has nothing yet, or was told of a gap.
  #isFree = true
  #gap: string | undefined

  constructor(ledger: RunLedger) {
    this.#ledger = ledger
  }

  /** A whole block has been read. */
  block(text: string): void {
    const { event, data, id, junk } = readBlock(text)
    for (const line of junk) this.#complain(`a line of no block: ${line}`)
    if (event === 'goaway' || (event === 'message' && id === undefined)) return
    if (event === 'gap') {
      this.#isFree = true
      this.#gap = (JSON.parse(data) as { reason: string }).reason
      return
    }
    const cursor = parseCursor(id)
    if (typeof cursor === 'object') this.#take(event, data, cursor.epoch, cursor.seq)
    else if (event !== 'cursor') this.#complain(`${event} with the id ${String(id)}`)
    if (id !== undefined) this.cursor = id
  }

  #take(event: string, data: string, run: string, number: number): void {
    if (run !== this.run) this.#beginAnew(run)
    // Of a run that the log has lost a part of it may be told anew, once it has been told of the gap.
    if (this.#gap !== undefined && this.#ledger.isLossy(run)) this.end = undefined
    if (this.end !== undefined) this.#complain(`${event} ${number} came behind the end`)
    if (event === 'cursor') return
    this.#checkGap()
    if (event === 'text') {
      if (!this.#isFree) this.#complain(`a text up to ${number} came over ${this.#number}`)
      if (data !== textOf(number)) this.#complain(`a text that is not the one up to ${number}`)
    } else {
      const isNext = number === this.#number + 1
      // Of a run that is torn there is the rest.
      if (!isNext && !(this.#isFree && this.#ledger.isLossy(run))) {
        this.#complain(`${event} ${number} after ${this.#number}`)
      }
      if (END_KINDS.has(event)) this.#ended(event, run)
      else if (event !== 'token' || data !== tokenOf(number)) this.#complain(`${event} ${number} says ${data}`)
    }
    this.#number = number
    this.#isFree = false
  }

  #ended(event: string, run: string): void {
    this.end = event
    const end = this.#ledger.endOf(run)
    if (end === undefined) this.#complain(`${event} is in no log`)
    else if (end.kind !== event && !this.#ledger.isLossy(run)) this.#complain(`${event} where the log says ${end.kind}`)
  }

  #beginAnew(run: string): void {
    // Who has read nothing of a run misses nothing of it.
    if (this.run !== undefined && this.#number > 0 && this.#gap !== 'epoch') {
      this.#complain(`run ${run} in place of ${this.run}, untold`)
    }
    if (this.end !== undefined && this.end !== 'interrupted') this.#complain(`run ${run} behind an end: ${this.end}`)
    this.run = run
    this.end = undefined
    this.#number = 0
    this.#isFree = true
    this.#gap = undefined
  }

  #checkGap(): void {
    const { run } = this
    if (this.#gap !== undefined && run !== undefined && !this.#ledger.isLossy(run)) {
      this.#complain(`a false gap of ${run}: ${this.#gap}`)
    }
    if (this.#gap !== undefined) this.#number = 0
    this.#gap = undefined
  }

  #complain(what: string): void {
    this.complaints.push(what)
  }
}

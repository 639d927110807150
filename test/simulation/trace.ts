import { createHash } from 'node:crypto'
import type { VirtualTime } from './virtual-time.ts'

/** All that happened in a run, as a hash, and as lines for those who want to read it. */
export class Trace {
  readonly #time: VirtualTime
  readonly #noted: string[] = []
  readonly #print: ((line: string) => void) | undefined

  constructor(time: VirtualTime, print?: (line: string) => void) {
    this.#time = time
    this.#print = print
  }

  note(what: string): void {
    const line = `${this.#time.now.toFixed(3)} ${what}\n`
    this.#noted.push(line)
    this.#print?.(line.trimEnd())
  }

  /** Something that is told by other notes, for those who read. */
  say(what: () => string): void {
    this.#print?.(`${this.#time.now.toFixed(3)}   ${what()}`)
  }

  /** What a client has taken, byte for byte. */
  read(text: string): void {
    this.#noted.push(text)
  }

  digest(): string {
    return createHash('sha1').update(this.#noted.join('')).digest('hex')
  }
}

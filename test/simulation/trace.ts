import type { VirtualTime } from './virtual-time.ts'

/** All that happened in a run: as a number, and as lines for those who want to read it. */
export class Trace {
  readonly #time: VirtualTime
  readonly #print: ((line: string) => void) | undefined
  readonly #wide = new Float64Array(1)
  readonly #halves = new Int32Array(this.#wide.buffer)
  #hash = 0

  constructor(time: VirtualTime, print?: (line: string) => void) {
    this.#time = time
    this.#print = print
  }

  /** Something that is read by people, and costs nothing where nobody reads. */
  note(what: () => string): void {
    this.#print?.(`${this.#time.now.toFixed(3)} ${what()}`)
  }

  /** Something happens at this moment, or has this size. Two runs in which all of these are alike are the same. */
  mix(number: number): void {
    this.#wide[0] = number
    const [low = 0, high = 0] = this.#halves
    this.#hash = Math.imul(this.#hash ^ low, 0x9e3779b1) ^ Math.imul(high + (this.#hash >>> 15), 0x85ebca6b)
  }

  digest(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0')
  }
}

import type { Environment } from './environment.ts'

/** How long a stream may take to its first byte before it is tried as a long poll, in milliseconds. */
export const FIRST_BYTE = 10_000
/** How long an answer may take where there is no other way to ask, in milliseconds: a long poll lasts 25 s. */
export const ANSWER = 40_000
/** How often silence is looked for, in milliseconds: so soon after a sleep it is noticed. */
const TICK = 5_000

/**
 * Tells silence from death. The server says in its `cursor` and `heartbeat` events how often it sends something; a stream
 * of another server, which says nothing, may be silent for as long as it likes.
 */
export class Watch {
  /** Whether streams without a byte may mean that the network holds bytes back. */
  mayHold = true
  readonly #env: Environment
  readonly #silent: (hasBytes: boolean) => void
  #cancel: () => void = () => undefined
  #hasBytes = false
  #isPoll = false
  // How long it may be silent, in milliseconds.
  #bound = 0
  // Wall time: it goes on in a sleep. A clock that is set costs one reconnect.
  #signAt = 0

  /** @param silent is told when nothing has come for too long, and whether anything had come before */
  constructor(env: Environment, silent: (hasBytes: boolean) => void) {
    this.#env = env
    this.#silent = silent
  }

  /** An attempt begins. */
  begin(isPoll: boolean): void {
    this.#isPoll = isPoll
    this.#hasBytes = false
    this.#bound = this.mayHold && !isPoll ? FIRST_BYTE : ANSWER
    this.goOn()
  }

  /** Nobody looked for a while, since nothing was read. */
  goOn(): void {
    this.stop()
    this.#signAt = this.#env.now()
    this.#tick()
  }

  opened(): void {
    if (!this.mayHold && !this.#isPoll) this.#bound = Infinity
  }

  sign(): void {
    this.#signAt = this.#env.now()
    if (this.#hasBytes) return
    this.#hasBytes = true
    this.#bound = this.#isPoll ? ANSWER : Infinity
  }

  /** Something comes every so many milliseconds at least; `undefined` where that is not known. */
  expect(heartbeat: number | undefined): void {
    this.#bound = heartbeat === undefined ? Infinity : heartbeat * 1.25 + 2_000
  }

  stop(): void {
    this.#cancel()
  }

  /** Looks at once: the page, or its device, has been asleep. */
  look(): void {
    if (Math.abs(this.#env.now() - this.#signAt) >= this.#bound) this.#silent(this.#hasBytes)
  }

  #tick(): void {
    this.#cancel = this.#env.after(TICK, () => {
      this.#tick()
      this.look()
    })
  }
}

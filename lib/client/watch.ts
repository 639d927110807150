import type { Environment } from './environment.ts'

/** How long a stream may take to its first byte before it is tried as a long poll, in milliseconds. */
export const FIRST_BYTE = 10_000
/** How long an answer may take where there is no other way to ask, in milliseconds: a long poll lasts 25 s. */
export const ANSWER = 40_000
/** How often silence is looked for, in milliseconds: so soon after a sleep it is noticed. */
const TICK = 5_000

/** Who is told. */
export interface WatchHost {
  /** Nothing has come for too long: the connection is dead, whatever it looks like. */
  silent(): void
  /** Not one byte has come. */
  held(): void
}

/**
 * Tells silence from death. The server says in its `cursor` and `heartbeat` events how often it sends something; a stream
 * of another server, which says nothing, may be silent for as long as it likes.
 */
export class Watch {
  /** Whether streams without a byte may mean that the network holds bytes back. */
  mayHold = true
  readonly #env: Environment
  readonly #host: WatchHost
  #cancel: () => void = () => undefined
  #isOpen = false
  #hasBytes = false
  #isPoll = false
  // Wall time: it goes on in a sleep. A clock that is set costs one reconnect.
  #signAt = 0
  #heartbeat: number | undefined

  constructor(env: Environment, host: WatchHost) {
    this.#env = env
    this.#host = host
  }

  /** An attempt begins. */
  begin(isPoll: boolean): void {
    this.stop()
    this.#isOpen = this.#hasBytes = false
    this.#isPoll = isPoll
    this.#heartbeat = undefined
    this.#signAt = this.#env.now()
    this.#tick()
  }

  opened(): void {
    this.#isOpen = true
  }

  sign(): void {
    this.#hasBytes = true
    this.#signAt = this.#env.now()
  }

  /** Something comes at least every `heartbeat` milliseconds; nothing is known where there is none. */
  expect(heartbeat: number | undefined): void {
    this.#heartbeat = heartbeat
  }

  stop(): void {
    this.#cancel()
  }

  /** Nobody looked for a while, since nothing was read. */
  goOn(): void {
    this.stop()
    this.sign()
    this.#tick()
  }

  /** Looks at once: the page, or its device, has been asleep. */
  look(): void {
    const silence = Math.abs(this.#env.now() - this.#signAt)
    if (!this.#hasBytes) {
      if (this.mayHold && !this.#isPoll ? silence >= FIRST_BYTE : !this.#isOpen && silence >= ANSWER) this.#host.held()
      else if (this.#isPoll && silence >= ANSWER) this.#host.held()
    } else if (this.#heartbeat !== undefined && silence > this.#heartbeat * 1.25 + 2_000) this.#host.silent()
    else if (this.#isPoll && silence >= ANSWER) this.#host.silent()
  }

  #tick(): void {
    this.#cancel = this.#env.after(TICK, () => {
      this.#tick()
      this.look()
    })
  }
}

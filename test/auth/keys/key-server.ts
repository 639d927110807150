import { EventEmitter, once } from 'node:events'
import type { VerificationKey } from '../../../lib/auth/keys/verification-key.ts'

/** A source of keys that a test can rotate, break and hold up, and that counts what is asked of it. */
export class KeyServer {
  readonly #events = new EventEmitter()
  keys: Record<string, VerificationKey>
  /** What it fails with, while it is down. */
  outage: Error | undefined
  /** While set, answers wait for it. */
  delay: Promise<unknown> | undefined
  asked = 0

  constructor(keys: Record<string, VerificationKey>) {
    this.keys = keys
  }

  /** Lets answers wait; what this answers lets them go. */
  hold(): () => void {
    let release = (): void => {}
    this.delay = new Promise<void>(resolve => {
      release = resolve
    })
    return release
  }

  /** Resolves when it is asked the next time. */
  nextRequest(): Promise<unknown> {
    return once(this.#events, 'request')
  }

  readonly fetchAll = async (): Promise<Record<string, VerificationKey>> => {
    await this.#answer()
    return this.keys
  }

  readonly getKey = async ({ kid = '' }: { kid?: string }): Promise<VerificationKey | undefined> => {
    await this.#answer()
    return Object.hasOwn(this.keys, kid) ? this.keys[kid] : undefined
  }

  async #answer(): Promise<void> {
    this.asked++
    this.#events.emit('request')
    await this.delay
    if (this.outage) throw this.outage
  }
}

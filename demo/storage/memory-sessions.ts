import type { SessionData, SessionStore } from '../sessions/session.ts'

/** How many sessions are kept; the oldest go first. */
const MOST_SESSIONS = 10_000

/** Sessions in this process's memory: gone with it, and unknown to any other. */
export class MemorySessions implements SessionStore {
  readonly #sessions = new Map<string, { readonly data: string; readonly expiresAt: number }>()

  get(key: string): Promise<SessionData | undefined> {
    const entry = this.#sessions.get(key)
    if (!entry || entry.expiresAt <= Date.now()) {
      this.#sessions.delete(key)
      return Promise.resolve(undefined)
    }
    return Promise.resolve(JSON.parse(entry.data) as SessionData)
  }

  set(key: string, data: SessionData, maxAge: number): Promise<void> {
    this.#sessions.delete(key)
    this.#sessions.set(key, { data: JSON.stringify(data), expiresAt: Date.now() + maxAge })
    const [oldest] = this.#sessions.keys()
    if (oldest !== undefined && this.#sessions.size > MOST_SESSIONS) this.#sessions.delete(oldest)
    return Promise.resolve()
  }

  destroy(key: string): Promise<void> {
    this.#sessions.delete(key)
    return Promise.resolve()
  }
}

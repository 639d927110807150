import { randomUUID } from 'node:crypto'

/** A line for one user. `at` is in milliseconds since 1970. */
export interface Notification {
  readonly id: string
  readonly text: string
  readonly at: number
  readonly read: boolean
}

/** How many are kept for one user. */
const KEPT = 50

export class Notifications {
  readonly #byUser = new Map<string, readonly Notification[]>()

  /** Newest first. */
  list(userId: string): readonly Notification[] {
    return this.#byUser.get(userId) ?? []
  }

  unread(userId: string): number {
    return this.list(userId).filter(notification => !notification.read).length
  }

  add(userId: string, text: string): Notification {
    const notification: Notification = { id: randomUUID(), text, at: Date.now(), read: false }
    this.#byUser.set(userId, [notification, ...this.list(userId)].slice(0, KEPT))
    return notification
  }

  markAllRead(userId: string): void {
    const read = this.list(userId).map(notification => ({ ...notification, read: true }))
    this.#byUser.set(userId, read)
  }
}

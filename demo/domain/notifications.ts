import { randomUUID } from 'node:crypto'
import type { Shelf, Shelves } from '../storage/shelf.ts'

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
  readonly #byUser: Shelf<readonly Notification[]>

  constructor(shelves: Shelves) {
    this.#byUser = shelves.shelf('notifications')
  }

  /** Newest first. */
  async list(userId: string): Promise<readonly Notification[]> {
    return (await this.#byUser.get(userId)) ?? []
  }

  async unread(userId: string): Promise<number> {
    return (await this.list(userId)).filter(notification => !notification.read).length
  }

  async add(userId: string, text: string): Promise<Notification> {
    const notification: Notification = { id: randomUUID(), text, at: Date.now(), read: false }
    await this.#byUser.update(userId, (others = []) => [notification, ...others].slice(0, KEPT))
    return notification
  }

  async markAllRead(userId: string): Promise<void> {
    await this.#byUser.update(userId, (all = []) => all.map(notification => ({ ...notification, read: true })))
  }
}

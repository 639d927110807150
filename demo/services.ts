import type { Hub } from 'koa-event-stream'
import type { Accounts } from './domain/accounts.ts'
import { Market } from './domain/market.ts'
import { Notifications } from './domain/notifications.ts'
import { Orders } from './domain/orders.ts'
import { Questions } from './domain/questions.ts'
import { topics, type Events } from './events.ts'
import type { Shelves } from './storage/shelf.ts'

/** Milliseconds that an answer of the assistant's takes at most, and is then kept for. */
export const KEEP_ANSWERS = 600_000

/** What the routes work with: the shop's state, and the hub that tells pages of its changes. */
export interface Services {
  readonly accounts: Accounts
  readonly market: Market
  readonly orders: Orders
  readonly notifications: Notifications
  readonly questions: Questions
  readonly hub: Hub<Events>
  /** Keeps a notification for a user and pushes it to the pages they have open. */
  readonly notify: (userId: string, text: string) => Promise<void>
}

export function createServices(hub: Hub<Events>, shelves: Shelves, accounts: Accounts): Services {
  const market = new Market(shelves)
  const orders = new Orders(shelves)
  const notifications = new Notifications(shelves)

  return {
    accounts,
    market,
    orders,
    notifications,
    questions: new Questions(shelves, KEEP_ANSWERS),
    hub,
    notify: async (userId, text) => {
      const notification = await notifications.add(userId, text)
      await hub.publish(topics.user(userId), {
        event: 'notification',
        data: { ...notification, unread: await notifications.unread(userId) },
      })
    },
  }
}

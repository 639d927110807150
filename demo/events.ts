import type { Quote } from './domain/market.ts'
import type { Notification } from './domain/notifications.ts'
import type { Order } from './domain/orders.ts'

/** Every event that this site publishes, and what it carries. */
export interface Events {
  'order.created': Order
  'order.updated': Order
  notification: Notification & Unread
  'notifications.read': Unread
  quote: Quote
}

/** How many notifications the user has not read, after the event. */
interface Unread {
  readonly unread: number
}

/** Where all of them go. */
export const topics = {
  market: 'market',
  user: (id: string): string => `user:${id}`,
}

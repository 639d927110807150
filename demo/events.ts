import type { Quote } from './domain/market.ts'
import type { Notification } from './domain/notifications.ts'
import type { Order } from './domain/orders.ts'

/** Every event that this site sends, and what it carries. */
export interface Events {
  'order.created': Order
  'order.updated': Order
  notification: Notification & Unread
  'notifications.read': Unread
  quote: Quote
  /** A piece of the assistant's answer. */
  token: { readonly text: string }
}

/** How many notifications the user has not read, after the event. */
interface Unread {
  readonly unread: number
}

/** Where they are published, but for answers: the relay has topics of its own for those. */
export const topics = {
  market: 'market',
  user: (id: string): string => `user:${id}`,
}

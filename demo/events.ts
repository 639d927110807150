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
  /** A piece of the assistant's answer, and its end. */
  token: { readonly text: string }
  done: Record<string, never>
}

/** How many notifications the user has not read, after the event. */
interface Unread {
  readonly unread: number
}

/** Where they are published; an answer goes to the one who asked. */
export const topics = {
  market: 'market',
  user: (id: string): string => `user:${id}`,
}

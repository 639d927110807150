import type { Shelf, Shelves } from '../storage/shelf.ts'
import { findLot } from './market.ts'

export const STATUSES = ['received', 'confirmed', 'packed', 'shipped', 'delivered'] as const
export type OrderStatus = (typeof STATUSES)[number]

export const BAG_KILOGRAMS = 60
export const MOST_BAGS = 20

/** An order as its owner sees it, on the page, in the API and in events. Times are milliseconds since 1970. */
export interface Order {
  readonly id: string
  readonly lot: string
  readonly bags: number
  /** Euro cents for the whole order. */
  readonly total: number
  readonly status: OrderStatus
  /** Rises with every change: whoever holds a newer version ignores an older one. */
  readonly version: number
  readonly placedAt: number
  readonly updatedAt: number
}

/** How many orders are kept for one customer. */
const KEPT = 30

/** The number of the order before the first one. */
const BEFORE_FIRST = 1040

export class Orders {
  readonly #byUser: Shelf<readonly Order[]>
  readonly #numbers: Shelf<number>

  constructor(shelves: Shelves) {
    this.#byUser = shelves.shelf('orders')
    this.#numbers = shelves.shelf('numbers')
  }

  /** Newest first. */
  async list(userId: string): Promise<readonly Order[]> {
    return (await this.#byUser.get(userId)) ?? []
  }

  /**
   * @param price euro cents a kilogram
   * @param now milliseconds since 1970
   * @throws {RangeError} for an unknown lot, or a number of bags that is not a whole one from 1 to 20
   */
  async place(userId: string, lotId: string, bags: number, price: number, now = Date.now()): Promise<Order> {
    const lot = findLot(lotId)
    if (!lot) throw new RangeError('Choose one of the coffees on offer.')
    if (!Number.isInteger(bags) || bags < 1 || bags > MOST_BAGS) {
      throw new RangeError(`Order between 1 and ${MOST_BAGS} bags.`)
    }
    const number = await this.#numbers.update('order', (last = BEFORE_FIRST) => last + 1)
    const order: Order = {
      id: `Q${number}`,
      lot: lot.name,
      bags,
      total: Math.round(price * bags * BAG_KILOGRAMS),
      status: 'received',
      version: 1,
      placedAt: now,
      updatedAt: now,
    }
    await this.#byUser.update(userId, (orders = []) => [order, ...orders].slice(0, KEPT))
    return order
  }

  /** Moves an order to its next status; answers `undefined` if there is no such order, or it is delivered. */
  async advance(userId: string, orderId: string, now = Date.now()): Promise<Order | undefined> {
    let advanced: Order | undefined
    await this.#byUser.update(userId, (orders = []) => {
      advanced = next(
        orders.find(({ id }) => id === orderId),
        now,
      )
      return orders.map(order => (order.id === advanced?.id ? advanced : order))
    })
    return advanced
  }

  /** The orders that can still move on. */
  async open(userId: string): Promise<readonly Order[]> {
    return (await this.list(userId)).filter(order => order.status !== 'delivered')
  }
}

function next(order: Order | undefined, now: number): Order | undefined {
  const status = order && STATUSES[STATUSES.indexOf(order.status) + 1]
  return status && { ...order, status, version: order.version + 1, updatedAt: now }
}

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

export class Orders {
  readonly #byUser = new Map<string, Order[]>()
  #lastNumber = 1040

  /** Newest first. */
  list(userId: string): readonly Order[] {
    return this.#byUser.get(userId) ?? []
  }

  /**
   * @param price euro cents a kilogram
   * @param now milliseconds since 1970
   * @throws {RangeError} for an unknown lot, or a number of bags that is not a whole one from 1 to 20
   */
  place(userId: string, lotId: string, bags: number, price: number, now = Date.now()): Order {
    const lot = findLot(lotId)
    if (!lot) throw new RangeError('Choose one of the coffees on offer.')
    if (!Number.isInteger(bags) || bags < 1 || bags > MOST_BAGS) {
      throw new RangeError(`Order between 1 and ${MOST_BAGS} bags.`)
    }
    const order: Order = {
      id: `Q${++this.#lastNumber}`,
      lot: lot.name,
      bags,
      total: Math.round(price * bags * BAG_KILOGRAMS),
      status: 'received',
      version: 1,
      placedAt: now,
      updatedAt: now,
    }
    this.#byUser.set(userId, [order, ...this.list(userId)].slice(0, KEPT))
    return order
  }

  /** Moves an order to its next status; answers `undefined` if there is no such order, or it is delivered. */
  advance(userId: string, orderId: string, now = Date.now()): Order | undefined {
    const order = this.list(userId).find(candidate => candidate.id === orderId)
    const status = order && STATUSES[STATUSES.indexOf(order.status) + 1]
    if (!status) return undefined
    const advanced: Order = { ...order, status, version: order.version + 1, updatedAt: now }
    this.#byUser.set(
      userId,
      this.list(userId).map(candidate => (candidate.id === orderId ? advanced : candidate)),
    )
    return advanced
  }

  /** The orders that can still move on. */
  open(userId: string): readonly Order[] {
    return this.list(userId).filter(order => order.status !== 'delivered')
  }
}

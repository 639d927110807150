import { LOTS } from './domain/market.ts'
import type { Order } from './domain/orders.ts'
import { topics } from './events.ts'
import type { Services } from './services.ts'
import type { Turn } from './turn.ts'

/** Milliseconds between two steps of each kind. */
const QUOTE_INTERVAL = 1_000
const ORDER_INTERVAL = 5_000

/** An account with fewer open orders than this gets another one, so that there is always something to watch. */
const FEWEST_OPEN = 2

const HOUR = 60 * 60 * 1_000

/** Past orders, so that the first page is not empty: how far each one has come, and how long ago. */
const PAST = [
  { steps: 4, placed: 220, moved: 97 },
  { steps: 4, placed: 121, moved: 26 },
  { steps: 3, placed: 50, moved: 5 },
  { steps: 1, placed: 3, moved: 1 },
]

export async function seed({ accounts, orders, market }: Services, now = Date.now()): Promise<void> {
  for (const userId of accounts.customers()) {
    if ((await orders.list(userId)).length > 0) continue
    for (const { steps, placed, moved } of PAST) {
      const lot = pick(LOTS)
      const bags = 1 + Math.floor(Math.random() * 6)
      const price = (await market.price(lot.id)) ?? lot.opening
      const { id } = await orders.place(userId, lot.id, bags, price, now - placed * HOUR)
      for (let step = 0; step < steps; step++) await orders.advance(userId, id, now - moved * HOUR)
    }
  }
}

/** Plays the exchange and the warehouse while it is this process's turn: prices wander, orders move on. The answer stops it. */
export function startSimulation(services: Services, turn: Turn): () => void {
  const play = async (step: (services: Services) => Promise<void>) => {
    if (await turn.isOurs()) await step(services)
  }
  const timers = [
    setInterval(() => attempt(play(quote)), QUOTE_INTERVAL),
    setInterval(() => attempt(play(work)), ORDER_INTERVAL),
  ]
  return () => {
    for (const timer of timers) clearInterval(timer)
  }
}

async function quote({ market, hub }: Services): Promise<void> {
  await hub.publish(topics.market, { event: 'quote', data: await market.advance() })
}

async function work(services: Services): Promise<void> {
  for (const userId of services.accounts.customers()) await workFor(userId, services)
}

async function workFor(userId: string, { orders, market, hub, notify }: Services): Promise<void> {
  const open = await orders.open(userId)
  if (open.length < FEWEST_OPEN) {
    const lot = pick(LOTS)
    const price = (await market.price(lot.id)) ?? lot.opening
    const order = await orders.place(userId, lot.id, 1 + Math.floor(Math.random() * 5), price)
    await hub.publish(topics.user(userId), { event: 'order.created', data: order })
    await notify(userId, `Your standing order came in: ${order.id}, ${order.bags} × ${order.lot}.`)
    return
  }
  const order = await orders.advance(userId, pick(open).id)
  if (!order) return
  await hub.publish(topics.user(userId), { event: 'order.updated', data: order })
  const news = announce(order)
  if (news) await notify(userId, news)
}

function announce({ id, lot, status }: Order): string | undefined {
  if (status === 'shipped') return `${id} has left the warehouse: ${lot} is on its way.`
  if (status === 'delivered') return `${id} was delivered. Enjoy the ${lot}.`
  return undefined
}

function pick<Item>(items: readonly Item[]): Item {
  const item = items[Math.floor(Math.random() * items.length)]
  if (item === undefined) throw new RangeError('nothing to pick from')
  return item
}

function attempt(step: Promise<void>): void {
  step.catch((error: unknown) => {
    console.error('simulation:', error)
  })
}

import { setTimeout as delay } from 'node:timers/promises'
import { LOTS, type Market } from './market.ts'
import type { Orders } from './orders.ts'

export const LONGEST_QUESTION = 500

/** Milliseconds between two words, about what a language model takes. */
const PACE = 45

const euros = new Intl.NumberFormat('en-IE', { style: 'currency', currency: 'EUR' })

/**
 * Answers a question word by word, as a language model would: an async iterable of text fragments, to be replaced by
 * a real model's.
 *
 * @param signal stops the answer, since nobody should pay for words that nobody reads
 */
export async function* answer(
  question: string,
  userId: string,
  { market, orders }: { market: Market; orders: Orders },
  signal: AbortSignal,
): AsyncGenerator<string> {
  const text = await compose(question, userId, market, orders)
  for (const word of text.split(/(?<=\s)/)) {
    await delay(PACE, undefined, { signal })
    yield word
  }
}

async function compose(question: string, userId: string, market: Market, orders: Orders): Promise<string> {
  if (/order|deliver|ship|where|arriv/i.test(question)) return aboutOrders(userId, orders)
  if (/price|cost|cheap|market|euro|€/i.test(question)) return aboutPrices(market)
  const lot = LOTS.find(({ name, origin }) => mentions(question, name) || mentions(question, origin))
  if (lot) {
    const price = euros.format(((await market.price(lot.id)) ?? lot.opening) / 100)
    return (
      `${lot.name} comes from ${lot.origin}. It trades at ${price} a kilogram right now, ` +
      `and it opened the day at ${euros.format(lot.opening / 100)}.\n\n` +
      `We sell it in bags of 60 kg, so a single bag is about ${euros.format((lot.opening * 60) / 100)}. ` +
      `Follow it on the market page if you would like to wait for a better moment.`
    )
  }
  return (
    `I can tell you where your orders are, what our coffees cost at this moment, and a little about each origin: ` +
    `${LOTS.map(({ origin }) => origin).join(', ')}.\n\nTry “Where are my orders?” or “What is cheapest today?”`
  )
}

function mentions(question: string, name: string): boolean {
  const words = question.toLowerCase().split(/\W+/)
  return name
    .toLowerCase()
    .split(' ')
    .some(word => words.includes(word))
}

async function aboutOrders(userId: string, orders: Orders): Promise<string> {
  const open = await orders.open(userId)
  if (open.length === 0) return 'All of your orders have been delivered. Nothing is on its way at the moment.'
  const lines = open.map(({ id, bags, lot, status }) => `${id}: ${bags} × ${lot}, ${status}.`)
  return `You have ${open.length === 1 ? 'one order' : `${open.length} orders`} under way.\n\n${lines.join('\n')}`
}

async function aboutPrices(market: Market): Promise<string> {
  const { prices } = await market.latest()
  const priced = LOTS.map(lot => ({ ...lot, price: prices[lot.id] ?? lot.opening }))
  const [cheapest, ...others] = priced.sort((a, b) => a.price - b.price)
  if (!cheapest) return 'Nothing is on offer today.'
  const rest = others.map(({ name, price }) => `${name} at ${euros.format(price / 100)}`).join(', ')
  return `The lowest price just now is ${cheapest.name}, at ${euros.format(cheapest.price / 100)} a kilogram.\n\nThen come ${rest}.`
}

import { setTimeout as delay } from 'node:timers/promises'
import { LOTS, type Market } from './market.ts'
import type { Orders } from './orders.ts'

export const LONGEST_QUESTION = 500

/** Milliseconds between two words, about what a language model takes. */
const PACE = 45

const euros = new Intl.NumberFormat('en-IE', { style: 'currency', currency: 'EUR' })

/** The coffees' story, which takes long enough to tell for whoever wants to reload the page, or to kill something, meanwhile. */
const STORY = [
  'It begins with goats. A herdsman in Kaffa, they say, saw his animals dance all night after they had eaten the red cherries of a shrub that nobody had a name for. He took some to the monks of the valley, who found them the work of the devil and threw them into the fire. Then they smelled what came out of it, raked the beans from the embers, poured hot water over them, and stayed awake through the night prayers.',
  'From there it crossed the Red Sea. In Yemen it was grown on terraces above the port of Mocha, and for two hundred years every bean that the world drank passed through its customs house. None that could sprout was let out. So it left by stealth: a pilgrim carried seven seeds to India, strapped to his belly, and merchants from Amsterdam took a living plant to a greenhouse, whose grandchildren covered Java.',
  'One of them was a present to the king of France. A naval officer stole a cutting of it, shared his ration of water with it on the way across the Atlantic, and planted it on Martinique behind thorns. Most of the coffee of the Americas descends from that one plant, our Huila and our Cerrado among it.',
  'Kenya, next door to where it all began, was almost the last to have it: it came by way of Réunion, with missionaries, a little more than a century ago. And Kochere never had to get it from anywhere. There the shrubs stand in gardens behind the houses, where they have always been, and the goats are tied up.',
].join('\n\n')

/** What answers questions. */
export type Answer = typeof answer

/**
 * Answers a question word by word, as a language model would: an async iterable of text fragments, to be replaced by
 * a real model's.
 *
 * @param signal stops the answer, since nobody should pay for words that nobody wants any more
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
  if (/story/i.test(question)) return STORY
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
    `I can tell you where your orders are, what our coffees cost at this moment, the story of coffee, and a little about ` +
    `each origin: ${LOTS.map(({ origin }) => origin).join(', ')}.\n\nTry “Where are my orders?” or “What is cheapest today?”`
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

import type { Shelf, Shelves } from '../storage/shelf.ts'

/** A coffee on offer. Prices are in euro cents a kilogram. */
export interface Lot {
  readonly id: string
  readonly name: string
  readonly origin: string
  readonly opening: number
}

/** All prices at one moment; `at` is in milliseconds since 1970. */
export interface Quote {
  readonly at: number
  readonly prices: Readonly<Record<string, number>>
}

export const LOTS: readonly Lot[] = [
  { id: 'kochere', name: 'Yirgacheffe Kochere', origin: 'Ethiopia', opening: 842 },
  { id: 'nyeri', name: 'Nyeri AA', origin: 'Kenya', opening: 965 },
  { id: 'huila', name: 'Huila Supremo', origin: 'Colombia', opening: 690 },
  { id: 'cerrado', name: 'Cerrado Natural', origin: 'Brazil', opening: 524 },
]

/** Ten minutes at one quote a second. */
const HISTORY = 600

/** How far a price moves in one step, as a share of itself, and how strongly it is drawn back to where it opened. */
const VOLATILITY = 0.004
const REVERSION = 0.01

/** A price list that wanders, and its recent past. */
export class Market {
  readonly #quotes: Shelf<readonly Quote[]>
  // What there is before the first step.
  readonly #opening: readonly Quote[]

  constructor(shelves: Shelves, now = Date.now()) {
    this.#quotes = shelves.shelf('market')
    this.#opening = openingQuotes(now)
  }

  async history(): Promise<readonly Quote[]> {
    return (await this.#quotes.get('quotes')) ?? this.#opening
  }

  async latest(): Promise<Quote> {
    return lastOf(await this.history())
  }

  /** The price of a lot, or `undefined` if there is no such lot. */
  async price(lotId: string): Promise<number | undefined> {
    return (await this.latest()).prices[lotId]
  }

  /** Moves every price a little. */
  async advance(now = Date.now()): Promise<Quote> {
    const quotes = await this.#quotes.update('quotes', (past = this.#opening) =>
      [...past, step(lastOf(past), now)].slice(-HISTORY),
    )
    return lastOf(quotes)
  }
}

function openingQuotes(now: number): Quote[] {
  const quotes: Quote[] = []
  let quote: Quote = {
    at: now - (HISTORY - 1) * 1_000,
    prices: Object.fromEntries(LOTS.map(lot => [lot.id, lot.opening])),
  }
  for (; quote.at <= now; quote = step(quote, quote.at + 1_000)) quotes.push(quote)
  return quotes
}

function lastOf(quotes: readonly Quote[]): Quote {
  const quote = quotes.at(-1)
  if (!quote) throw new Error('a market always has a quote')
  return quote
}

export function findLot(id: string): Lot | undefined {
  return LOTS.find(lot => lot.id === id)
}

function step(quote: Quote, at: number): Quote {
  const prices = LOTS.map(lot => {
    const price = quote.prices[lot.id] ?? lot.opening
    const noise = (Math.random() + Math.random() - 1) * VOLATILITY * price
    const pull = (lot.opening - price) * REVERSION
    return [lot.id, Math.round((price + noise + pull) * 100) / 100] as const
  })
  return { at, prices: Object.fromEntries(prices) }
}

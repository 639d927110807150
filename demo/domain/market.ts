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
  readonly #history: Quote[] = []

  constructor(now = Date.now()) {
    let quote: Quote = {
      at: now - (HISTORY - 1) * 1_000,
      prices: Object.fromEntries(LOTS.map(lot => [lot.id, lot.opening])),
    }
    for (; quote.at <= now; quote = step(quote, quote.at + 1_000)) this.#history.push(quote)
  }

  get latest(): Quote {
    const quote = this.#history.at(-1)
    if (!quote) throw new Error('a market always has a quote')
    return quote
  }

  history(): readonly Quote[] {
    return this.#history
  }

  /** The price of a lot, or `undefined` if there is no such lot. */
  price(lotId: string): number | undefined {
    return this.latest.prices[lotId]
  }

  /** Moves every price a little. */
  advance(now = Date.now()): Quote {
    const quote = step(this.latest, now)
    this.#history.push(quote)
    if (this.#history.length > HISTORY) this.#history.shift()
    return quote
  }
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

/** Data that compresses as real data does: numbers, names and markup that repeat, with values that do not. */
export const TEXTS = ['json', 'html', 'tokens'] as const

export type TextKind = (typeof TEXTS)[number]

/** Makes the data of event number `seq`, after what every event begins with. */
export function textOf(kind: TextKind, seq: number): string {
  return MAKERS[kind](new Numbers(seq))
}

const SYMBOLS = ['AAPL', 'MSFT', 'GOOG', 'TSLA']
const WORDS =
  'the quick brown fox jumps over lazy dog while seven wizards box five dozen liquor jugs and some text about prices markets rates news orders users totals open close high low volume trade'.split(
    ' ',
  )
/** Bytes of a table's rows. */
const ROWS = 2_000

const MAKERS: Readonly<Record<TextKind, (numbers: Numbers) => string>> = {
  json: numbers =>
    JSON.stringify({ type: 'quote', symbol: numbers.pick(SYMBOLS), bid: price(numbers), ask: price(numbers) }),
  html: numbers => {
    let rows = ''
    while (rows.length < ROWS) rows += row(numbers)
    return rows
  },
  tokens: numbers => JSON.stringify({ t: `${numbers.pick(WORDS)} ` }),
}

function row(numbers: Numbers): string {
  const name = `${numbers.pick(WORDS)} ${numbers.pick(WORDS)}`
  return `<tr class="row" id="r${numbers.below(5_000)}"><td class="name">${name}</td><td class="price">${price(numbers)}</td></tr>`
}

function price(numbers: Numbers): number {
  return 100 + numbers.below(10_000) / 100
}

// The same for each contender: a generator by Lehmer, started by the event's number.
class Numbers {
  #state: number

  constructor(seed: number) {
    this.#state = (seed + 1) * 7_919
  }

  below(end: number): number {
    this.#state = (this.#state * 48_271) % 2_147_483_647
    return this.#state % end
  }

  pick(from: readonly string[]): string {
    return from[this.below(from.length)] ?? ''
  }
}

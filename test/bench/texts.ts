import { Random } from '../support/random.ts'

/** Data that compresses as real data does: numbers, names and markup that repeat, with values that do not. */
export type TextKind = 'json' | 'html' | 'tokens'

/** Makes the data of event number `seq`, after what every event begins with: the same for each contender. */
export function textOf(kind: TextKind, seq: number): string {
  return MAKERS[kind](new Random(seq))
}

const SYMBOLS = ['AAPL', 'MSFT', 'GOOG', 'TSLA']
const WORDS =
  'the quick brown fox jumps over lazy dog while seven wizards box five dozen liquor jugs and some text about prices markets rates news orders users totals open close high low volume trade'.split(
    ' ',
  )
/** Bytes of a table's rows. */
const ROWS = 2_000

const MAKERS: Readonly<Record<TextKind, (random: Random) => string>> = {
  json: random =>
    JSON.stringify({ type: 'quote', symbol: random.pick(SYMBOLS), bid: price(random), ask: price(random) }),
  html: random => {
    let rows = ''
    while (rows.length < ROWS) rows += row(random)
    return rows
  },
  tokens: random => JSON.stringify({ t: `${random.pick(WORDS)} ` }),
}

function row(random: Random): string {
  const name = `${random.pick(WORDS)} ${random.pick(WORDS)}`
  return `<tr class="row" id="r${random.between(0, 5_000)}"><td class="name">${name}</td><td class="price">${price(random)}</td></tr>`
}

function price(random: Random): number {
  return 100 + random.between(0, 10_000) / 100
}

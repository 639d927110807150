import { randomBytes } from 'node:crypto'
import type { Clock } from 'koa-event-stream'
import { claims, forge, SECRET, seconds } from '../auth/jwt/keys.ts'
import type { Random } from '../support/random.ts'

const MOST = 50

// What answers hold that may be of use in later requests.
const FINDS = {
  cookie: /set-cookie: (sid(?:\.sig)?=[^;]+)/gi,
  ticket: /"ticket":"([^"]+)"/g,
  cursor: /^id: (.+)$/gm,
} as const

const WRONG_KEY = randomBytes(64)

export const USERS = Array.from({ length: 20 }, (_, n) => `user-${n}`)

/** The credentials and cursors that clients have come by: good ones, used ones and forged ones. */
export class Wallet {
  readonly #clock: Clock
  readonly #found = { cookie: [] as string[], ticket: [] as string[], cursor: [] as string[] }

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Keeps what an answer holds. */
  collect(answer: string): void {
    // A session's cookie is of no use without the one with its signature.
    this.#keep('cookie', [[...answer.matchAll(FINDS.cookie)].map(([, pair]) => pair).join('; ')])
    for (const kind of ['ticket', 'cursor'] as const) {
      this.#keep(kind, [...answer.matchAll(FINDS[kind])].map(([, found = '']) => found).slice(-2))
    }
  }

  cookie(random: Random): string {
    const cookie = this.#pick('cookie', random)
    return random.pick([
      cookie,
      cookie,
      cookie,
      cookie,
      `${cookie}x`,
      'sid=1; sid=2',
      `sid=${'y'.repeat(5_000)}`,
      '=;;',
    ])
  }

  ticket(random: Random): string {
    const ticket = this.#pick('ticket', random)
    return random.pick([ticket, ticket, ticket, '', 'x', 'z'.repeat(43), `${ticket}&ticket=${ticket}`, '%00%ff%'])
  }

  cursor(random: Random): string {
    const cursor = this.#pick('cursor', random)
    const [epoch = '', seq = ''] = cursor.split('-')
    return random.pick([
      cursor,
      cursor,
      cursor,
      `${epoch}-${Number(seq) - random.between(1, 1_000_000)}`,
      `${epoch}-99999999999999999999`,
      `other-${seq}`,
      '-',
      'x'.repeat(200),
      '\u00e9\u00ff',
    ])
  }

  token(random: Random): string {
    const now = this.#clock.now()
    const sub = random.pick(USERS)
    const good = claims(now, { sub, jti: `token-${random.between(0, 500)}` })
    const sign = (payload: unknown, key = SECRET) => forge({ alg: 'HS256' }, payload, key)
    const makers: (() => string)[] = [
      () => sign({ ...good, exp: seconds(now) + 1 }),
      () => sign({ ...good, exp: seconds(now) - 1 }),
      () => sign(JSON.stringify(good).replace(/"exp":\d+/, '"exp":1e400')),
      () => sign({ ...good, aud: 'https://elsewhere.example' }),
      () => sign({ ...good, sub: { a: 1 } }),
      () => sign(good, WRONG_KEY),
      () => sign('null'),
      () => sign('{'),
      () => forge({ alg: 'none' }, good, SECRET),
      () => forge('[]', good, SECRET),
      () => `${sign(good)}.x`,
      () => 'a.b.c',
      () => '',
      () => 'x'.repeat(9_000),
    ]
    return random.chance(0.85) ? sign(good) : random.pick(makers)()
  }

  #pick(kind: keyof typeof FINDS, random: Random): string {
    const found = this.#found[kind]
    return found.length === 0 ? 'none-yet' : random.pick(found)
  }

  #keep(kind: keyof typeof FINDS, finds: readonly string[]): void {
    const found = this.#found[kind]
    found.push(...finds.filter(find => find !== ''))
    if (found.length > MOST) found.splice(0, found.length - MOST)
  }
}

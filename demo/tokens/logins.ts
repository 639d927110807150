import { createHash, randomBytes, randomUUID } from 'node:crypto'
import type { Hub } from 'koa-event-stream'
import type { Events } from '../events.ts'
import type { Shelf, Shelves } from '../storage/shelf.ts'
import { ACCESS_LIFETIME, type AccessToken, type TokenIssuer } from './issuer.ts'

const DAY = 24 * 60 * 60 * 1_000

/** How long a refresh token waits to be used, in milliseconds. */
export const IDLE_LIFETIME = 14 * DAY

/** How long a login can be refreshed, in milliseconds. */
export const LOGIN_LIFETIME = 30 * DAY

/** How many access tokens of one login are good at the same time. Where there are more, the oldest is revoked. */
export const MOST_ACCESS_TOKENS = 10

/** The handle of a login, which stays the same, and a secret, which does not: 128 and 256 random bits. */
const REFRESH_TOKEN = /^([\w-]{22})\.[\w-]{43}$/

/** What a client gets. */
export interface TokenPair {
  readonly accessToken: string
  readonly refreshToken: string
}

/** A login at the API: a family of tokens. Times are milliseconds since 1970. */
interface Login {
  readonly userId: string
  /** The hash of the one refresh token that is good; empty once the login has been ended. */
  readonly current: string
  /** When that one expires. */
  readonly expiresAt: number
  readonly endsAt: number
  /** The access tokens that may be good still. */
  readonly accessTokens: readonly AccessToken[]
}

/**
 * The API's logins. A refresh token is good once, and answered with the next one. Where one comes a second time, it is
 * in two hands, and nobody can tell which is the thief's: the whole login ends (RFC 9700, section 4.14.2).
 *
 * A login is kept under the hash of its handle, with the hash of its refresh token, so that whoever reads the store can
 * neither refresh it nor end it.
 */
export class Logins {
  readonly #logins: Shelf<Login>
  readonly #hub: Hub<Events>
  readonly #issuer: TokenIssuer
  readonly #now: () => number

  constructor(shelves: Shelves, hub: Hub<Events>, issuer: TokenIssuer, now: () => number) {
    this.#logins = shelves.shelf('logins', IDLE_LIFETIME)
    this.#hub = hub
    this.#issuer = issuer
    this.#now = now
  }

  async begin(userId: string): Promise<TokenPair> {
    const handle = random(16)
    const login = hash(handle)
    const refreshToken = nextOf(handle)
    const now = this.#now()
    const accessToken = this.#accessToken()
    await this.#logins.update(login, () => ({
      userId,
      current: hash(refreshToken),
      expiresAt: now + IDLE_LIFETIME,
      endsAt: now + LOGIN_LIFETIME,
      accessTokens: [accessToken],
    }))
    return { accessToken: this.#issuer.sign(accessToken, userId, login), refreshToken }
  }

  /** Trades a refresh token for a new pair; `undefined` where it is not, or no longer, good. */
  async refresh(presented: string): Promise<TokenPair | undefined> {
    const [, handle] = REFRESH_TOKEN.exec(presented) ?? []
    if (handle === undefined) return undefined
    const login = hash(handle)
    const refreshToken = nextOf(handle)
    const now = this.#now()
    const accessToken = this.#accessToken()
    let surplus: readonly AccessToken[] = []
    const after = await this.#logins.update(login, before => {
      if (before === undefined || before.expiresAt <= now) return undefined
      // These are hashes: how long comparing them takes tells nothing of the token.
      if (before.current !== hash(presented)) return ended(before)
      const accessTokens = [...before.accessTokens.filter(({ expiresAt }) => expiresAt > now), accessToken]
      surplus = accessTokens.slice(0, -MOST_ACCESS_TOKENS)
      return {
        ...before,
        current: hash(refreshToken),
        expiresAt: Math.min(now + IDLE_LIFETIME, before.endsAt),
        accessTokens: accessTokens.slice(-MOST_ACCESS_TOKENS),
      }
    })
    if (after === undefined) return undefined
    if (after.current === '') {
      await this.#revoke(after.accessTokens)
      return undefined
    }
    await this.#revoke(surplus)
    return { accessToken: this.#issuer.sign(accessToken, after.userId, login), refreshToken }
  }

  /** Ends a login, by the `sid` of any of its access tokens: those are revoked, and their streams closed. */
  async end(login: string): Promise<void> {
    const after = await this.#logins.update(login, before => before && ended(before))
    if (after !== undefined) await this.#revoke(after.accessTokens)
  }

  #accessToken(): AccessToken {
    return { id: randomUUID(), expiresAt: this.#now() + ACCESS_LIFETIME }
  }

  // An ended login remembers its access tokens: should this fail half-way, the next attempt does it again.
  async #revoke(accessTokens: readonly AccessToken[]): Promise<void> {
    await Promise.all(accessTokens.map(({ id, expiresAt }) => this.#hub.revoke(id, expiresAt)))
  }
}

function ended(login: Login): Login {
  return { ...login, current: '' }
}

function nextOf(handle: string): string {
  return `${handle}.${random(32)}`
}

function random(bytes: number): string {
  return randomBytes(bytes).toString('base64url')
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}

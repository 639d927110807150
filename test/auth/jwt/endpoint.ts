import { EventEmitter, once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import type { ExecutionContext } from 'ava'
import Koa from 'koa'
import { bearerToken } from '../../../lib/auth/jwt/bearer-token.ts'
import type { OneIssuer } from '../../../lib/auth/jwt/issuers.ts'
import type { TokenOptions } from '../../../lib/auth/jwt/options.ts'
import type { Identity, UnknownClaims } from '../../../lib/auth/identity.ts'
import type { TokenClaims } from '../../../lib/auth/jwt/claims.ts'
import { serve } from '../../support/http.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { readAnswer, whoAmI, type Answer } from '../who-am-i.ts'
import { AUDIENCE, ISSUER } from './keys.ts'

type Options<Claims extends object> = Partial<TokenOptions<Claims, UnknownClaims> & OneIssuer> &
  Pick<OneIssuer, 'algorithms'>

export interface Endpoint {
  readonly clock: ManualClock
  readonly identities: readonly Identity[]
  /** Sends a bearer token. */
  readonly send: (token: string) => Promise<Answer>
  /** Resolves when so many requests have reached the authenticator, since the endpoint was opened. */
  readonly arrivals: (count: number) => Promise<void>
  /** Sends these very header lines, doubled ones too, and tells the status. */
  readonly sendHeaders: (lines: readonly string[]) => Promise<number | undefined>
}

/** An endpoint for bearer tokens of the test's issuer and audience. */
export async function openEndpoint<Claims extends object = TokenClaims>(
  t: ExecutionContext,
  options: Options<Claims>,
  app = new Koa(),
): Promise<Endpoint> {
  const clock = new ManualClock()
  const identities: Identity[] = []
  const authenticator = bearerToken<Claims, UnknownClaims>({ issuer: ISSUER, audience: AUDIENCE, clock, ...options })
  app.silent = true
  const arriving = new EventEmitter()
  let arrived = 0
  app.use((_ctx, next) => {
    arrived++
    arriving.emit('request')
    return next()
  })
  app.use(whoAmI(authenticator, identities))
  const { url } = await serve(app, t)
  return {
    clock,
    identities,
    arrivals: async count => {
      while (arrived < count) await once(arriving, 'request')
    },
    send: async token => readAnswer(await fetch(url, { headers: { authorization: `Bearer ${token}` } })),
    sendHeaders: async lines => {
      const sent = request(url, { headers: ['Host', new URL(url).host, ...lines] as never })
      sent.end()
      const [response] = (await once(sent, 'response')) as [IncomingMessage]
      response.resume()
      return response.statusCode
    },
  }
}

export const INVALID_TOKEN = {
  status: 401,
  code: 'ERR_AUTH_REJECTED',
  challenge: 'Bearer realm="events", error="invalid_token", error_description="The access token is not valid here"',
}

export const EXPIRED_TOKEN = {
  status: 401,
  code: 'ERR_AUTH_REJECTED',
  challenge: 'Bearer realm="events", error="invalid_token", error_description="The access token has expired"',
}

export const UNAVAILABLE = { status: 503, code: 'ERR_AUTH_UNAVAILABLE', challenge: null }

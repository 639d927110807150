import { inspect } from 'node:util'
import type { Context } from 'koa'
import { AuthenticationError } from '../../lib/auth/authentication-error.ts'
import type { Authenticator } from '../../lib/auth/authenticator.ts'
import type { Identity } from '../../lib/auth/identity.ts'

/** What the endpoint below tells. */
export interface Answer {
  readonly status: number
  readonly identity?: Identity
  readonly code?: string
  /** For the operator: what a client must not see in the challenge, it may not say either. */
  readonly message?: string
  readonly cause?: string
  readonly challenge: string | null
}

/** A Koa middleware that says whom an authenticator takes the client for, and keeps the identities it made. */
export function whoAmI(authenticator: Authenticator, identities: Identity[] = []) {
  return async (ctx: Context): Promise<void> => {
    try {
      const identity = await authenticator.authenticate(ctx)
      if (identity) identities.push(identity)
      ctx.status = identity ? 200 : 401
      ctx.body = { identity: identity && { ...identity, session: identity.session } }
    } catch (error) {
      if (!(error instanceof AuthenticationError)) throw error
      ctx.status = error.status
      if (error.challenge !== undefined) ctx.set('WWW-Authenticate', error.challenge)
      ctx.body = { code: error.code, message: error.message, cause: inspect(error.cause) }
    }
  }
}

export async function readAnswer(response: Response): Promise<Answer> {
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false
  const body = isJson ? JSON.parse(text) : { message: text }
  return { ...body, status: response.status, challenge: response.headers.get('www-authenticate') }
}

import type { Context } from 'koa'
import { AuthenticationError } from '../auth/authentication-error.ts'
import type { Authenticator } from '../auth/authenticator.ts'
import type { Identity } from '../auth/identity.ts'
import type { RefusalReason } from '../hub/lifecycle.ts'
import { mayUseCookie } from './origin.ts'
import type { Mount } from './options.ts'
import { statusOf } from './response.ts'

/** Somebody who may have a stream; nobody in particular where the stream is open to all. */
export interface Holder {
  readonly identity: Identity | undefined
  readonly authenticator: Authenticator | undefined
}

/** A refusal, as it will be answered and told. */
export interface Refusal {
  readonly reason: RefusalReason
  readonly status: 400 | 401 | 403 | 406 | 503
  readonly challenges?: readonly string[]
  readonly error?: unknown
}

/** Asks the authenticators in their order. Everything that can go wrong with credentials becomes a refusal here. */
export async function authenticate(ctx: Context, mount: Mount): Promise<Holder | Refusal> {
  const { authenticators } = mount
  if (authenticators.length === 0) return { identity: undefined, authenticator: undefined }
  try {
    for (const authenticator of authenticators) {
      const identity = await authenticator.authenticate(ctx)
      if (identity === undefined) continue
      if (authenticator.ambient && !mayUseCookie(ctx, mount.origins)) return { reason: 'origin', status: 403 }
      return { identity, authenticator }
    }
  } catch (error) {
    if (error instanceof AuthenticationError) return refusalOf(error, authenticators)
    mount.hub.refused('unavailable', statusOf(error), error)
    throw error
  }
  return unauthenticated(authenticators)
}

/** The answer to a request whose credentials nobody knows, or which have ended meanwhile. */
export function unauthenticated(authenticators: readonly Authenticator[]): Refusal {
  return { reason: 'unauthenticated', status: 401, challenges: authenticators.map(({ challenge }) => challenge) }
}

/** Whether the identity holds at this moment: the login may have ended while the resolver was busy. */
export async function stillHolds({ identity, authenticator }: Holder, { hub }: Mount): Promise<boolean> {
  if (identity === undefined) return true
  if (identity.expiresAt !== undefined && identity.expiresAt <= hub.clock.now()) return false
  if (identity.token !== undefined && (await hub.isRevoked(identity.token))) return false
  return authenticator?.revalidation?.holds(identity) ?? true
}

/** Has nothing prolonged for a request that gets no stream. It is answered already: a failure is the operator's news. */
export async function forget(ctx: Context, { hub }: Mount, { authenticator }: Holder): Promise<void> {
  try {
    await authenticator?.forget?.(ctx)
  } catch (error) {
    hub.failed('forget', error)
  }
}

const REASONS = { 400: 'unauthenticated', 401: 'unauthenticated', 403: 'forbidden', 503: 'unavailable' } as const

function refusalOf(error: AuthenticationError, authenticators: readonly Authenticator[]): Refusal {
  const { status, challenge } = error
  const challenges = status === 503 ? [] : challenge === undefined ? authenticators.map(a => a.challenge) : [challenge]
  return { reason: REASONS[status], status, challenges, error }
}

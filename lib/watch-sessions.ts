import { callInTime, isPromise } from './application.ts'
import { EventStreamError } from './errors.ts'
import type { Hub } from './hub/hub.ts'
import { noteArrival } from './koa/arrival.ts'
import { checkHub } from './koa/door-config.ts'
import { duration, knownKeys } from './options.ts'
import { safeError } from './safe-error.ts'
import { contextOf, SessionRequests } from './session-requests.ts'

/** The default timeout of the session store: 2 seconds, in milliseconds. */
export const DEFAULT_STORE_TIMEOUT = 2_000

/** The part of koa-session's store interface that is wrapped. */
export interface SessionStore {
  get(...args: never[]): unknown
  set(...args: never[]): unknown
  destroy(key: string, ...rest: never[]): unknown
}

export interface WatchSessionsOptions {
  /** The timeout of a call to the store, in milliseconds. Default: 2 s. */
  timeout?: number
}

/** A session store that failed or timed out. Koa responds with 503, without details. */
class SessionStoreError extends EventStreamError {
  readonly status = 503
  readonly expose = false

  constructor(message: string, options?: ErrorOptions) {
    super('ERR_SESSION_STORE', message, options)
  }
}

/**
 * Wraps a koa-session store so that destroying a session closes its streams, on every instance. koa-session destroys a
 * session on `ctx.session = null` and on `ctx.session.regenerate()`.
 *
 * A logout without a stored session makes koa-session destroy one it just created; that is not announced.
 *
 * The hub is notified once the store has destroyed the session, however late. If the broker cannot reach the other
 * instances, local streams are closed all the same, and the hub emits `fault`; the other instances find the session
 * gone at their next revalidation.
 *
 * `get`, `set` and `destroy` time out after `timeout`; koa-session itself would wait indefinitely. Their failures
 * become an `EventStreamError` with the code `ERR_SESSION_STORE`, `status: 503` and a redacted `cause` with the name,
 * code and message of the store's error: a request that needs its session gets 503. An operation that timed out may
 * still be carried out. All other properties of the store are passed through.
 *
 * @param store the store for koa-session's `store` option; it is not changed
 * @throws {TypeError} for an invalid option
 */
export function watchSessions<Store extends SessionStore, Events extends object>(
  store: Store,
  hub: Hub<Events>,
  options: WatchSessionsOptions = {},
): Store {
  knownKeys('watchSessions', options, ['timeout'])
  const timeout = duration('timeout', options.timeout, { default: DEFAULT_STORE_TIMEOUT })
  const { clock } = checkHub(hub)

  const disconnect = async (session: string): Promise<void> => {
    try {
      await hub.disconnect({ session }, 'logout')
    } catch (error) {
      hub.emit('fault', { during: 'watchSessions', error: safeError(error, [session]) })
    }
  }
  const late = () => new SessionStoreError('the session store did not answer in time')
  const inTime = async <T>(work: T | PromiseLike<T>, key: unknown): Promise<T> => {
    try {
      return await callInTime({ clock, ms: timeout, what: 'the session store', late }, () => work)
    } catch (error) {
      throw failure(error, key)
    }
  }
  const requests = new SessionRequests()
  const get = (...args: never[]): unknown => {
    const [key] = args
    const ctx = contextOf(args)
    // The request does not see if the session ends after this moment.
    if (ctx !== undefined) noteArrival(ctx.req)
    return attempt(key, () => {
      const answer = store.get(...args)
      if (isPromise(answer)) return inTime(answer, key).then(data => requests.met(ctx, key, data))
      return requests.met(ctx, key, answer)
    })
  }
  const set = (...args: never[]): unknown => {
    const [key] = args
    requests.met(contextOf(args), key, true)
    return attempt(key, () => {
      const answer = store.set(...args)
      return isPromise(answer) ? inTime(answer, key) : answer
    })
  }
  const destroy = async (key: string, ...rest: never[]): Promise<unknown> => {
    const isMadeUp = requests.hasMadeUp(contextOf(rest), key)
    const destroyed = (async () => attempt(key, () => store.destroy(key, ...rest)))()
    const told = destroyed.then(() => (isMadeUp ? undefined : disconnect(key)))
    // The caller of `destroy` gets the error.
    told.catch(() => undefined)
    const answer = await inTime(destroyed, key)
    await told
    return answer
  }
  const watched: Readonly<Record<PropertyKey, unknown>> = { get, set, destroy }

  // Not a proxy of the store itself: a proxy of a frozen store could not replace `destroy`.
  return new Proxy(Object.create(Reflect.getPrototypeOf(store)) as Store, {
    get(_, property) {
      if (Object.hasOwn(watched, property)) return watched[property]
      // Private fields need the store itself as `this`.
      const value: unknown = Reflect.get(store, property, store)
      return typeof value === 'function' ? (value.bind(store) as unknown) : value
    },
    set: (_, property, value) => Reflect.set(store, property, value, store),
    has: (_, property) => Reflect.has(store, property),
  })
}

function attempt(key: unknown, work: () => unknown): unknown {
  try {
    return work()
  } catch (error) {
    throw failure(error, key)
  }
}

function failure(error: unknown, key: unknown): SessionStoreError {
  if (error instanceof SessionStoreError) return error
  const cause = safeError(error, typeof key === 'string' ? [key] : [])
  return new SessionStoreError('the session store failed', { cause })
}

import { callInTime, isPromise } from './application.ts'
import { completeClock, type Clock } from './clock.ts'
import { EventStreamError } from './errors.ts'
import type { Hub } from './hub/hub.ts'
import { noteArrival } from './koa/arrival.ts'
import { duration, knownKeys } from './options.ts'
import { safeError } from './safe-error.ts'
import { contextOf, SessionRequests } from './session-requests.ts'

/** How long a call to the session store may take, unless told otherwise: 2 seconds, in milliseconds. */
export const DEFAULT_STORE_TIMEOUT = 2_000

/** What koa-session asks of a store, and all that matters here. */
export interface SessionStore {
  get(...args: never[]): unknown
  set(...args: never[]): unknown
  destroy(key: string, ...rest: never[]): unknown
}

export interface WatchSessionsOptions {
  /** Milliseconds until a call to the store is given up. Default: 2 s. */
  timeout?: number
  /** Where time comes from. For tests. */
  clock?: Partial<Clock>
}

/** A session store that failed or did not answer in time. Koa makes a 503 of it, without telling the client more. */
class SessionStoreError extends EventStreamError {
  readonly status = 503
  readonly expose = false

  constructor(message: string, options?: ErrorOptions) {
    super('ERR_SESSION_STORE', message, options)
  }
}

/**
 * Wraps a koa-session store so that destroying a session closes its streams, on every instance. koa-session destroys
 * a session on `ctx.session = null` and on `ctx.session.regenerate()`.
 *
 * Who logs out without a session in the store has koa-session destroy one that it has just made up: nobody is told of that.
 *
 * The wrapper tells the hub once the store has destroyed the session, however late. Where the broker cannot tell the
 * other instances, the streams here are closed all the same, and the hub emits a `fault`; elsewhere the next look into
 * the store finds the session gone.
 *
 * `get`, `set` and `destroy` are given up after `timeout`, as koa-session itself waits for as long as the store takes.
 * Their failures become an `EventStreamError` with the code `ERR_SESSION_STORE`, `status: 503` and as its `cause` the name,
 * the code and the message of the store's own error, in which keys and what looks like one are hidden: a request that
 * cannot be answered without its session gets 503. What was given up may still be carried
 * out. Everything else of the store is passed through.
 *
 * @param store the store for koa-session's `store` option; it is not changed
 * @throws {TypeError} for a wrong option
 */
export function watchSessions<Store extends SessionStore, Events extends object>(
  store: Store,
  hub: Hub<Events>,
  options: WatchSessionsOptions = {},
): Store {
  knownKeys('watchSessions', options, ['timeout', 'clock'])
  const timeout = duration('timeout', options.timeout, { default: DEFAULT_STORE_TIMEOUT })
  const clock = completeClock(options.clock)

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
    // What ends the session from now on this request does not see.
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
    // Whoever waits for the session to be destroyed hears of the failure.
    told.catch(() => undefined)
    const answer = await inTime(destroyed, key)
    await told
    return answer
  }
  const watched: Readonly<Record<PropertyKey, unknown>> = { get, set, destroy }

  // Not a proxy of the store itself: it could not show another `destroy` for a store that is frozen.
  return new Proxy(Object.create(Reflect.getPrototypeOf(store)) as Store, {
    get(_, property) {
      if (Object.hasOwn(watched, property)) return watched[property]
      // Private fields want the store itself for `this`.
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

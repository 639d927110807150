import type { Hub } from './hub/hub.ts'

/** What koa-session asks of a store, and all that matters here. */
export interface SessionStore {
  get(...args: never[]): unknown
  set(...args: never[]): unknown
  destroy(key: string, ...rest: never[]): unknown
}

/**
 * Wraps a koa-session store so that destroying a session closes its streams, on every instance. koa-session destroys
 * a session on `ctx.session = null` and on `ctx.session.regenerate()`.
 *
 * The wrapper passes everything through to the store, and tells the hub once the store has destroyed the session.
 * Where the broker cannot tell the other instances, the streams here are closed all the same, and the hub emits a
 * `fault`; elsewhere the next look into the store finds the session gone.
 *
 * @param store the store for koa-session's `store` option; it is not changed
 */
export function watchSessions<Store extends SessionStore, Events extends object>(
  store: Store,
  hub: Hub<Events>,
): Store {
  const destroy = async (key: string, ...rest: never[]): Promise<unknown> => {
    const destroyed = await store.destroy(key, ...rest)
    try {
      await hub.disconnect({ session: key }, 'logout')
    } catch (error) {
      hub.emit('fault', { during: 'watchSessions', error })
    }
    return destroyed
  }
  // Not a proxy of the store itself: it could not show another `destroy` for a store that is frozen.
  return new Proxy(Object.create(Reflect.getPrototypeOf(store)) as Store, {
    get(_, property) {
      if (property === 'destroy') return destroy
      // Private fields want the store itself for `this`.
      const value: unknown = Reflect.get(store, property, store)
      return typeof value === 'function' ? (value.bind(store) as unknown) : value
    },
    set: (_, property, value) => Reflect.set(store, property, value, store),
    has: (_, property) => Reflect.has(store, property),
  })
}

/** How long to wait before asking again for a stream that the browser has given up, in milliseconds, at most. */
const PATIENCE = { first: 1_000, most: 30_000 }

/**
 * An event stream that lasts as long as its page.
 *
 * An EventSource reconnects by itself after most failures, but gives up for good on any status but 200, and in some
 * browsers while a server restarts. Then this opens another one, which resumes where the last one stopped.
 *
 * Dispatches `state` (what `connection` says has changed), `received` (detail: the event) and `gap` (history was lost:
 * load the state again).
 */
export class ReconnectingStream extends EventTarget {
  #locate
  #source
  #handlers = new Map()
  #failures = 0
  #retry
  #opening = new AbortController()
  #life = new AbortController()

  /** What can be said of the connection; times are milliseconds since 1970, 0 for not yet. */
  connection = { state: 'connecting', opened: 0, received: 0, gaps: 0, lastEventId: '', caughtUp: 0, heartbeat: 0 }

  /**
   * @param locate answers the URL to open, before each EventSource, as a promise; `undefined` where there is nothing to
   *   come back for. Where it rejects, it is asked again later. It is told whether it was asked before (`again`), and by
   *   `signal` when nobody waits for the answer any more.
   */
  constructor(locate) {
    super()
    this.#locate = locate
    this.on('cursor', () => this.#change({ caughtUp: Date.now() }))
    this.on('heartbeat', () => this.#change({ heartbeat: Date.now() }))
    this.on('gap', lost => {
      this.#change({ gaps: this.connection.gaps + 1 })
      this.dispatchEvent(new CustomEvent('gap', { detail: lost }))
    })
    const { signal } = this.#life
    addEventListener('pagehide', () => this.#leave(), { signal })
    addEventListener('pageshow', ({ persisted }) => persisted && this.renew(), { signal })
    void this.#open({ again: false })
  }

  /** Calls `handle` with the data of each event of that name, on this EventSource and on those that come after it. */
  on(name, handle) {
    const handlers = this.#handlers.get(name)
    if (handlers) {
      handlers.push(handle)
      return
    }
    this.#handlers.set(name, [handle])
    if (this.#source) this.#listen(name)
  }

  /** Closes the stream and opens another one, from the same place on. Does nothing once it was closed for good. */
  renew() {
    if (this.#life.signal.aborted) return
    this.#leave()
    void this.#open({ again: true })
  }

  /** Closes the stream for good. */
  close() {
    this.#life.abort()
    this.#leave()
  }

  async #open({ again }) {
    const { signal } = (this.#opening = new AbortController())
    this.#change({ state: 'connecting' })
    let url
    try {
      url = await this.#locate({ again, signal })
    } catch {
      if (!signal.aborted) this.#comeBack()
      return
    }
    if (signal.aborted) return
    if (url === undefined) this.close()
    else this.#connect(new URL(url, location.href))
  }

  #connect(url) {
    const { lastEventId } = this.connection
    if (lastEventId) url.searchParams.set('lastEventId', lastEventId)
    const source = (this.#source = new EventSource(url))
    source.onopen = () => {
      this.#failures = 0
      this.#change({ state: 'open', opened: this.connection.opened + 1 })
    }
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) this.#comeBack()
      else this.#change({ state: 'connecting' })
    }
    for (const name of this.#handlers.keys()) this.#listen(name)
  }

  #leave() {
    clearTimeout(this.#retry)
    this.#opening.abort()
    this.#source?.close()
    this.#change({ state: 'closed' })
  }

  #listen(name) {
    this.#source.addEventListener(name, event => {
      const lastEventId = event.lastEventId || this.connection.lastEventId
      this.#change({ received: this.connection.received + 1, lastEventId })
      const data = event.data === '' ? undefined : JSON.parse(event.data)
      this.dispatchEvent(new CustomEvent('received', { detail: { name, data, id: lastEventId } }))
      for (const handle of this.#handlers.get(name)) handle(data)
    })
  }

  /** Waits for any time up to a bound that doubles: pages that lost their streams together do not come back together. */
  #comeBack() {
    const bound = Math.min(PATIENCE.first * 2 ** this.#failures++, PATIENCE.most)
    this.#retry = setTimeout(() => this.#open({ again: true }), Math.random() * bound)
    this.#change({ state: 'closed' })
  }

  #change(facts) {
    Object.assign(this.connection, facts)
    this.dispatchEvent(new Event('state'))
  }
}

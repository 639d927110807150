/** How long to wait before asking again for a stream that the browser has given up, in milliseconds. */
const PATIENCE = { first: 1_000, most: 30_000 }

/**
 * The page's one event stream, shared by its scripts.
 *
 * An EventSource reconnects by itself after most failures, but gives up for good on any status but 200, and in some
 * browsers while a server restarts. Then this opens another one, which resumes where the last one stopped.
 *
 * Dispatches `state` (what `connection` says has changed), `received` (detail: the event) and `gap` (history was lost:
 * load the state again).
 */
class Live extends EventTarget {
  #url
  #source
  #handlers = new Map()
  #wait = PATIENCE.first
  #retry

  /** What can be said of the connection; times are milliseconds since 1970, 0 for not yet. */
  connection = { state: 'connecting', opened: 0, received: 0, gaps: 0, lastEventId: '', caughtUp: 0, heartbeat: 0 }

  constructor(url) {
    super()
    this.#url = new URL(url, location.href)
    this.#open()
    this.on('cursor', () => this.#change({ caughtUp: Date.now() }))
    this.on('heartbeat', () => this.#change({ heartbeat: Date.now() }))
    this.on('gap', lost => {
      this.#change({ gaps: this.connection.gaps + 1 })
      this.dispatchEvent(new CustomEvent('gap', { detail: lost }))
    })
    addEventListener('pagehide', () => this.#close())
    addEventListener('pageshow', ({ persisted }) => persisted && this.renew())
  }

  /** Calls `handle` with the data of each event of that name, on this EventSource and on those that come after it. */
  on(name, handle) {
    const handlers = this.#handlers.get(name)
    if (handlers) {
      handlers.push(handle)
      return
    }
    this.#handlers.set(name, [handle])
    this.#listen(name)
  }

  /** Closes the stream and opens another one, from the same place on. */
  renew() {
    this.#close()
    this.#open()
  }

  #open() {
    const { lastEventId } = this.connection
    if (lastEventId) this.#url.searchParams.set('lastEventId', lastEventId)
    this.#change({ state: 'connecting' })
    this.#source = new EventSource(this.#url)
    this.#source.onopen = () => {
      this.#wait = PATIENCE.first
      this.#change({ state: 'open', opened: this.connection.opened + 1 })
    }
    this.#source.onerror = () => this.#failed()
    for (const name of this.#handlers.keys()) this.#listen(name)
  }

  #close() {
    clearTimeout(this.#retry)
    this.#source.close()
    this.#change({ state: 'closed' })
  }

  #listen(name) {
    this.#source.addEventListener(name, event => {
      this.#change({ received: this.connection.received + 1, lastEventId: event.lastEventId })
      const data = event.data === '' ? undefined : JSON.parse(event.data)
      this.dispatchEvent(new CustomEvent('received', { detail: { name, data, id: event.lastEventId } }))
      for (const handle of this.#handlers.get(name)) handle(data)
    })
  }

  #failed() {
    if (this.#source.readyState === EventSource.CONNECTING) {
      this.#change({ state: 'connecting' })
      return
    }
    this.#change({ state: 'closed' })
    this.#retry = setTimeout(() => this.#reopen(), this.#wait * (0.5 + Math.random()))
    this.#wait = Math.min(this.#wait * 2, PATIENCE.most)
  }

  /** An EventSource does not tell why it gave up. If the login has ended, there is nothing to come back for. */
  async #reopen() {
    const status = await fetch('/session', { cache: 'no-store' }).then(
      response => response.status,
      () => 0,
    )
    if (status === 401) location.assign('/login?ended')
    else this.#open()
  }

  #change(facts) {
    Object.assign(this.connection, facts)
    this.dispatchEvent(new Event('state'))
  }
}

export const live = new Live(document.body.dataset.events)

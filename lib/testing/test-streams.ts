import type { Hub } from '../hub/hub.ts'
import { openTestDoor, type TestDoor } from '../koa/test-door.ts'
import { duration, knownKeys } from '../options.ts'
import type { EventMap } from '../wire/event.ts'
import { DEFAULT_WITHIN } from './journal.ts'
import { overflow } from './overflow.ts'
import type { TestIdentity } from './signed-in.ts'
import { serveApp, type SiteServer, type TestApp } from './site-server.ts'
import { TestStream } from './test-stream.ts'
import { Visits } from './visits.ts'

export interface TestStreamsOptions<Events extends object = EventMap> {
  /** The hub of the application's mounts. */
  hub: Hub<Events>
  /** Milliseconds that a wait may take before it fails. Default 4,000: less than Vitest and Jest give a test. */
  within?: number
}

/** Who asks: `undefined` for whoever the request itself says. */
interface AsOption {
  /**
   * Who is logged in, at whatever mount of the site's hub is asked: `eventStream()`, `requireIdentity()`, a ticket's `issue`.
   * Their authenticators are not asked then. Default: the request's own credentials are all there is.
   */
  as?: TestIdentity
}

export interface OpenOptions extends AsOption {
  /** Default `GET`. */
  method?: string
  headers?: Readonly<Record<string, string>>
  body?: string | Uint8Array
  /** Where to go on from: an event's id. Default: as a newcomer. */
  lastEventId?: string
  /** Milliseconds that this stream's waits may take. Default: those of the site. */
  within?: number
}

/** A request, as `fetch` takes it, and who asks. */
export type FetchOptions = RequestInit & AsOption

/**
 * Serves an application for tests: over HTTP, on a free port of the loopback, or where its server listens already.
 *
 * `as` needs no change of the application. The site has a random key; its server notes which of the requests that arrive
 * have it, takes it away before the application sees it, and the hub's mounts know those requests by the objects that they
 * are in this process. Nothing that a client can send is compared at a mount, so no test login opens another server's door,
 * or a mount of another hub.
 *
 * @throws {TypeError} as a rejection: in production, as `NODE_ENV` says; for what is no application, no hub, or a hub of
 *   another copy of this package
 */
export async function testStreams<Events extends object = EventMap>(
  app: TestApp,
  options: TestStreamsOptions<Events>,
): Promise<TestSite<Events>> {
  knownKeys('testStreams', options, ['hub', 'within'])
  const within = duration('within', options.within, { min: 1, default: DEFAULT_WITHIN })
  const door = openTestDoor(options.hub)
  const visits = new Visits(door)
  try {
    return new TestSite({ door, visits, within, server: await serveApp(app, visits.meet) })
  } catch (error) {
    visits.stop()
    throw error
  }
}

interface SiteParts {
  readonly door: TestDoor
  readonly visits: Visits
  readonly within: number
  readonly server: SiteServer
}

/** An application that is served for tests. Made by `testStreams()`. */
export class TestSite<Events extends object = EventMap> {
  /** Where it is, without a slash at its end: for clients of other makes. */
  readonly url: string
  readonly #parts: SiteParts
  readonly #streams = new Set<Pick<TestStream, 'close'>>()

  /** @internal */
  constructor(parts: SiteParts) {
    this.url = parts.server.url
    this.#parts = parts
  }

  /**
   * Opens a stream. `Map` says what its events carry, where that is something else than what the hub's do.
   *
   * @param path with its query, beginning with a slash
   * @returns once the subscription stands: what is published from now on comes, and what was to be replayed has. A stream that
   *   carries a source and no topics begins at once.
   * @throws {StreamRefused} as a rejection: with what the server has answered
   */
  async open<Map extends object = Events>(path: string, options: OpenOptions = {}): Promise<TestStream<Map>> {
    const { visits, door } = this.#parts
    const { as, method = 'GET', headers, body, lastEventId, within = this.#parts.within } = options
    const stream = new TestStream<Map>({
      door,
      name: `${method} ${path}${as === undefined ? '' : ` as ${as.id}`}`,
      within,
      lastEventId,
      announce: () => visits.announce(as),
      requestOf: (visit, from) => ({
        url: this.#urlOf(path),
        method,
        headers: { ...headers, ...visit.headers, ...(from !== undefined && { 'last-event-id': from }) },
        body,
      }),
    })
    this.#streams.add(stream)
    await stream.connect()
    return stream
  }

  /** The global `fetch`, for ordinary routes. */
  async fetch(path: string, { as, headers, ...init }: FetchOptions = {}): Promise<Response> {
    const own = new Headers(headers)
    for (const [name, value] of Object.entries(this.#parts.visits.announce(as).headers)) own.set(name, value)
    return fetch(this.#urlOf(path), { ...init, headers: own })
  }

  /**
   * Has a topic's history overflow, so that none of the events that are in it by now is kept: whoever has missed some is told a
   * gap `trimmed` on coming back. Streams that have the topic get events for that which are the kit's own: this one's do not
   * show them, and an EventSource shows them to nobody who has not asked for them by their name.
   *
   * @throws {TypeError} as a rejection: for a history that is too large for that, and where the engine does not tell its limits
   */
  async trim(topic: string): Promise<void> {
    await overflow(this.#parts.door, topic)
  }

  /**
   * Loses the log: all events of all topics are gone, and a new epoch begins, as after a Redis was flushed or a process has
   * begun anew. Streams that are open are told a gap `epoch`, on whatever instance, and those that come back as well. Sessions,
   * places, presence and what was revoked stay.
   *
   * @returns once this instance goes on in the new epoch
   * @throws {EventStreamError} as a rejection: `ERR_BROKER`
   */
  async lose(): Promise<void> {
    await this.#parts.door.lose()
  }

  /** Closes all streams, and the server unless it listened before. The hub goes on: it is the application's. */
  async close(): Promise<void> {
    const { visits, server } = this.#parts
    await Promise.all([...this.#streams].map(stream => stream.close()))
    await server.close()
    visits.stop()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #urlOf(path: string): string {
    if (path.startsWith('/')) return this.url + path
    throw new TypeError(`a path begins with a slash: ${JSON.stringify(path)}`)
  }
}

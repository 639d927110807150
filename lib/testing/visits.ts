import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Identity } from '../auth/identity.ts'
import { listenTo } from '../diagnostics.ts'
import type { TestDoor } from '../koa/test-door.ts'
import { EventStream } from '../stream/event-stream.ts'
import { testIdentity, type TestIdentity } from './signed-in.ts'

// Named so that what hides keys from logs and errors hides this one.
const HEADER = 'koa-event-stream-test-key'

/** A request of a test's, and the stream that it has got on the server's side. */
export class Visit {
  /** What the request has to carry. */
  readonly headers: Readonly<Record<string, string>>
  readonly identity: Identity | undefined
  stream: EventStream | undefined
  /** Whether the stream has topics; unknown where it is of another hub, or there is none. */
  hasTopics: boolean | undefined
  #leave: () => void = () => undefined
  readonly #gone = new Promise<void>(resolve => {
    this.#leave = resolve
  })

  constructor(key: string, identity: Identity | undefined) {
    this.headers = { [HEADER]: key }
    this.identity = identity
  }

  /** Resolves once the hub knows that the stream has ended, or at once where it has none. */
  async left(): Promise<void> {
    if (this.stream !== undefined) await this.#gone
  }

  leave(): void {
    this.#leave()
  }
}

/**
 * The requests of one site's tests. Each carries the key of the site, which never leaves this process but for the loopback,
 * and is taken away again before the application sees it.
 */
export class Visits {
  readonly #door: TestDoor
  readonly #key = randomBytes(32).toString('base64url')
  readonly #announced = new Map<string, Visit>()
  readonly #byRequest = new WeakMap<object, Visit>()
  readonly #byStream = new WeakMap<object, Visit>()
  readonly #stopListening: () => void

  constructor(door: TestDoor) {
    const { hub } = door
    this.#door = door
    const ended = ({ stream }: { stream: object }): void => {
      this.#byStream.get(stream)?.leave()
    }
    hub.on('close', ended)
    const stop = listenTo(hub, 'tracing:koa-event-stream.open:asyncEnd', ({ ctx, stream, hasTopics }) => {
      if ('req' in ctx && isEventStream(stream)) this.#opened(ctx.req, stream, hasTopics)
    })
    this.#stopListening = () => {
      stop()
      hub.off('close', ended)
    }
  }

  /**
   * Announces a request.
   *
   * @throws {TypeError} for an `as` that is no identity
   */
  announce(as: TestIdentity | undefined): Visit {
    const number = String(this.#announced.size)
    const visit = new Visit(`${this.#key}.${number}`, as === undefined ? undefined : testIdentity(as))
    this.#announced.set(number, visit)
    return visit
  }

  /** Takes a request in that has arrived, and logs it in where it is an announced one. */
  readonly meet = (request: IncomingMessage): void => {
    const given = request.headers[HEADER]
    if (typeof given !== 'string') return
    hide(request)
    const [key = '', number = ''] = given.split('.')
    const visit = isSame(key, this.#key) ? this.#announced.get(number) : undefined
    if (visit === undefined) return
    this.#byRequest.set(request, visit)
    if (visit.identity !== undefined) this.#door.logIn(request, visit.identity)
  }

  stop(): void {
    this.#stopListening()
    this.#announced.clear()
  }

  #opened(request: unknown, stream: EventStream, hasTopics: boolean | undefined): void {
    const visit = typeof request === 'object' && request !== null ? this.#byRequest.get(request) : undefined
    if (visit === undefined) return
    visit.stream = stream
    visit.hasTopics = hasTopics
    this.#byStream.set(stream, visit)
    if (stream.closed) visit.leave()
  }
}

function isEventStream(stream: unknown): stream is EventStream {
  return stream instanceof EventStream
}

function hide(request: IncomingMessage): void {
  const index = request.rawHeaders.findIndex(name => name.toLowerCase() === HEADER)
  if (index !== -1) request.rawHeaders.splice(index, 2)
  Reflect.deleteProperty(request.headers, HEADER)
}

// By digests, which are of one length: how long it takes says nothing of the key.
function isSame(given: string, key: string): boolean {
  return timingSafeEqual(digest(given), digest(key))
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

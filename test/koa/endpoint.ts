import { once } from 'node:events'
import type { ExecutionContext } from 'ava'
import Koa3, { type Context, type Middleware } from 'koa'
import {
  createHub,
  createIdentity,
  eventStream,
  type AuthenticatedOptions,
  type Authenticator,
  type EventStream,
  type Hub,
  type HubOptions,
} from 'koa-event-stream'
import { Deferred } from '../support/deferred.ts'
import { eventually } from '../support/eventually.ts'
import {
  openHttp2Stream,
  openStream,
  serve,
  serveHttp2,
  type OpenOptions,
  type ReceivedStream,
} from '../support/http.ts'

/** Options of the stream, with a login and a topic where a test does not care. */
export type StreamOptions = Partial<Omit<AuthenticatedOptions, 'hub'>>

export interface Setup {
  /** Default Koa 3. */
  readonly Koa?: typeof Koa3
  readonly http2?: boolean
  readonly hub?: HubOptions
  /** Middleware around the stream, outermost first. */
  readonly outer?: readonly Middleware[]
  /** The test looks at `errors` itself. By default an error that reaches the application fails the test. */
  readonly expectsErrors?: boolean
}

/** A Koa application with one stream, served over real HTTP, and all that its hub and its application have said. */
export interface Endpoint {
  readonly hub: Hub
  readonly app: Koa3
  readonly url: string
  readonly port: number
  /** What the hub told, such as `open`, `refuse origin 403`, `close client`, `fault source`. */
  readonly story: readonly string[]
  /** What reached `app.on('error')`. */
  readonly errors: readonly unknown[]
  /** Errors of refusals and faults: what the operator hears. */
  readonly causes: readonly unknown[]
  /** Asks for the stream, as ann unless told otherwise. */
  open(options?: OpenOptions): Promise<ReceivedStream>
  /** Waits until the hub has told this. */
  tells(chapter: string): Promise<void>
  /** Waits until nothing is left of any stream. */
  isEmpty(): Promise<void>
  /** Ends the server, cutting whoever is there. */
  close(): Promise<void>
}

/** Takes the name in the header `x-user` for the user's. */
export const byName: Authenticator = {
  scheme: 'name',
  challenge: 'Name realm="events"',
  ambient: false,
  authenticate: ctx => {
    const name = ctx.get('x-user')
    return name === '' ? undefined : createIdentity({ id: name, scheme: 'name' })
  },
}

/** The head of ann's request, for bare sockets. */
export const REQUEST = 'GET / HTTP/1.1\r\nHost: x\r\nX-User: ann\r\n\r\n'

// Too many listeners, or a header that HTTP/2 forbids: both are mistakes of the library's.
process.on('warning', warning => {
  if (warning.name === 'MaxListenersExceededWarning' || warning.name === 'UnsupportedWarning') throw warning
})

export async function openEndpoint(
  t: ExecutionContext,
  options: StreamOptions = {},
  { Koa = Koa3, http2 = false, hub: hubOptions, outer = [], expectsErrors = false }: Setup = {},
): Promise<Endpoint> {
  const hub = createHub(hubOptions)
  const story: string[] = []
  const causes: unknown[] = []
  const errors: unknown[] = []
  record(hub, story, causes)
  const app = new Koa()
  app.on('error', error => errors.push(error))
  for (const middleware of outer) app.use(middleware)
  app.use(eventStream({ hub, authenticate: byName, subscribe: () => 'news', ...options }))
  const isEmpty = () =>
    eventually(
      () => isIdle(hub),
      () => `Something is left: ${JSON.stringify(hub.stats())}`,
    )

  // Run last: by then the server is closed, and everything must have been let go of.
  t.teardown(async () => {
    await isEmpty()
    await hub.close()
    if (!expectsErrors && errors.length > 0) throw new AggregateError(errors, 'Errors reached the application')
  })
  const { url, port, close } = http2 ? await serveHttp2(app, t) : await serve(app, t)
  const open = http2 ? openHttp2Stream : openStream
  return {
    hub,
    app,
    url,
    port,
    story,
    errors,
    causes,
    isEmpty,
    close,
    open: ({ headers, ...rest } = {}) => open(url, { ...rest, headers: { 'x-user': 'ann', ...headers } }),
    tells: chapter =>
      eventually(
        () => story.includes(chapter),
        () => `"${chapter}" was not told, but ${JSON.stringify(story)}`,
      ),
  }
}

type Answer = Awaited<ReturnType<AuthenticatedOptions['subscribe']>>

/** A resolver that tells the test when it is asked, and waits for the test to answer. */
export class HeldResolver {
  readonly #asked = new Deferred<{ stream: EventStream; ctx: Context }>()
  readonly #answered = new Deferred<Answer>()
  readonly asked = this.#asked.promise
  readonly answer = this.#answered.resolve
  readonly fail = this.#answered.reject

  readonly subscribe = (stream: EventStream, ctx: Context): Promise<Answer> => {
    this.#asked.resolve({ stream, ctx })
    return this.#answered.promise
  }
}

/** Resolves once an aborted signal has told why. */
export async function reasonOf(signal: AbortSignal): Promise<unknown> {
  if (!signal.aborted) await once(signal, 'abort')
  return signal.reason
}

function record(hub: Hub, story: string[], causes: unknown[]): void {
  hub.on('open', () => story.push('open'))
  hub.on('close', ({ reason }) => story.push(`close ${reason}`))
  hub.on('gap', ({ gap }) => story.push(`gap ${gap.reason}`))
  hub.on('refuse', ({ reason, status, error }) => {
    story.push(`refuse ${reason} ${status}`)
    if (error !== undefined) causes.push(error)
  })
  hub.on('fault', ({ during, error }) => {
    story.push(`fault ${during}`)
    causes.push(error)
  })
}

function isIdle(hub: Hub): boolean {
  const { streams, topics, identities, addresses, bufferedBytes } = hub.stats()
  return streams + topics + identities + addresses + bufferedBytes === 0
}

/** An event stream as browsers, and the `eventsource` package, have it. */
export interface EventSourceLike {
  /** 0 connecting, 1 open, 2 closed. */
  readonly readyState: number
  addEventListener(
    name: string,
    listener: (event: { readonly data: string; readonly lastEventId: string }) => void,
  ): void
  close(): void
}

/** The class of `EventSource`. */
export type EventSourceClass = new (url: string, init?: { withCredentials?: boolean }) => EventSourceLike

/** The parts of a request that are sent. */
export interface FetchInit {
  readonly method: string
  readonly headers: Record<string, string>
  readonly body: string | null
  readonly cache: 'no-store'
  readonly credentials: 'include' | 'same-origin'
  readonly signal: AbortSignal
}

/** The body of a response, as far as it is needed. */
export interface Body {
  getReader(): { read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }> }
  cancel(): Promise<void>
}

/** A response, as far as it is needed. */
export interface Answer {
  readonly status: number
  readonly headers: { get(name: string): string | null }
  readonly body: Body | null
}

/** `fetch`, as far as it is needed. */
export type Fetch = (url: string, init: FetchInit) => Promise<Answer>

/** Events of the page which say that the world around it has changed. */
const WAKES = ['online', 'pagehide', 'pageshow', 'visibilitychange'] as const

/** One of them. `visibilitychange` is that the page has become visible. */
export type Wake = (typeof WAKES)[number]

/** What tabs of an origin tell each other by. */
export interface Channel {
  addEventListener(name: 'message', listener: (event: Event) => void): void
  postMessage(message: unknown): void
  close(): void
}

/** Web Locks, as far as they are needed: the lock is held until what `hold` answers is settled. */
export interface Locks {
  request(
    name: string,
    options: { readonly steal: true } | { readonly signal: AbortSignal },
    hold: () => Promise<void> | undefined,
  ): Promise<unknown>
}

/** What a page has. In Node, Bun and Deno some of it is missing. */
export interface Page {
  readonly EventSource?: EventSourceClass
  readonly document?: { readonly hidden: boolean; readonly baseURI: string }
  readonly navigator?: { readonly locks?: Locks }
  readonly BroadcastChannel?: new (name: string) => Channel
  addEventListener?(name: string, listener: () => void, options: { signal: AbortSignal; capture: boolean }): void
  readonly reportError?: (error: unknown) => void
}

/** Everything that is not ours. Tests replace it. */
export interface Environment {
  /** Milliseconds since 1970: they go on while the device sleeps. */
  now(): number
  /** From 0 to 1, without 1. */
  chance(): number
  /** Runs `task` once after `ms` milliseconds; the answer stops it. */
  after(ms: number, task: () => void): () => void
  readonly fetch: Fetch
  readonly EventSource: EventSourceClass | undefined
  /** What relative URLs are relative to; `undefined` outside of pages. */
  readonly base: string | undefined
  /** Listens until the signal is aborted. */
  onWake(listener: (wake: Wake) => void, signal: AbortSignal): void
  /** Tells of an error of the application's that nobody else listens to. */
  readonly report: (error: unknown) => void
  /** What tabs share a connection by. */
  readonly page: Page
}

const page: Page = globalThis

/** The page, or the process, that this runs in. */
export const system: Environment = {
  now: () => Date.now(),
  chance: () => Math.random(),
  after(ms, task) {
    const timer = setTimeout(task, ms)
    return () => clearTimeout(timer)
  },
  fetch: (url, init) => fetch(url, init),
  get EventSource() {
    return page.EventSource
  },
  get base() {
    return page.document?.baseURI
  },
  onWake(listener, signal) {
    for (const name of WAKES) {
      const look = (): void => {
        if (name !== 'visibilitychange' || !page.document?.hidden) listener(name)
      }
      // The last is an event of the document: a window meets it on its way down.
      page.addEventListener?.(name, look, { signal, capture: true })
    }
  },
  report(error) {
    // Thrown, it would end a process of Node for one listener's mistake.
    // eslint-disable-next-line no-console -- there is no other place where an operator would look
    const tell = page.reportError ?? console.error
    tell(error)
  },
  page,
}

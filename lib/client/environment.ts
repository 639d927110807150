/** The interface of EventSource in browsers and in the `eventsource` package. */
export interface EventSourceLike {
  /** 0 connecting, 1 open, 2 closed. */
  readonly readyState: number
  addEventListener(
    name: string,
    listener: (event: { readonly data: string; readonly lastEventId: string }) => void,
  ): void
  close(): void
}

/** The `EventSource` constructor. */
export type EventSourceClass = new (url: string, init?: { withCredentials?: boolean }) => EventSourceLike

/** The used options of a request. */
export interface FetchInit {
  readonly method: string
  readonly headers: Record<string, string>
  readonly body: string | null
  readonly cache: 'no-store'
  readonly credentials: 'include' | 'same-origin'
  readonly signal: AbortSignal
}

/** The used part of a response body. */
export interface Body {
  getReader(): { read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }> }
  cancel(): Promise<void>
}

/** The used part of a response. */
export interface Answer {
  readonly status: number
  readonly headers: { get(name: string): string | null }
  readonly body: Body | null
}

/** The used part of `fetch`. */
export type Fetch = (url: string, init: FetchInit) => Promise<Answer>

/** Page events after which the connection may be dead, or a reconnect possible. */
const WAKES = ['online', 'pagehide', 'pageshow', 'visibilitychange'] as const

/** One of them. `visibilitychange` means that the page became visible. */
export type Wake = (typeof WAKES)[number]

/** The channel between the tabs of an origin. */
export interface Channel {
  addEventListener(name: 'message', listener: (event: Event) => void): void
  postMessage(message: unknown): void
  close(): void
}

/** The used part of Web Locks: the lock is held until the promise of `hold` settles. */
export interface Locks {
  request(
    name: string,
    options: { readonly steal: true } | { readonly signal: AbortSignal },
    hold: () => Promise<void> | undefined,
  ): Promise<unknown>
}

/** The page's APIs. Node, Bun and Deno lack some of them. */
export interface Page {
  readonly EventSource?: EventSourceClass
  readonly document?: { readonly hidden: boolean; readonly baseURI: string }
  readonly navigator?: { readonly locks?: Locks }
  readonly BroadcastChannel?: new (name: string) => Channel
  addEventListener?(name: string, listener: () => void, options: { signal: AbortSignal; capture: boolean }): void
  readonly reportError?: (error: unknown) => void
}

/** All external dependencies. Tests replace it. */
export interface Environment {
  /** Milliseconds since 1970: includes the time a device sleeps. */
  now(): number
  /** A number in [0, 1). */
  chance(): number
  /** Runs `task` once after `ms` milliseconds; returns a function that cancels it. */
  after(ms: number, task: () => void): () => void
  readonly fetch: Fetch
  readonly EventSource: EventSourceClass | undefined
  /** The base of relative URLs; `undefined` outside of pages. */
  readonly base: string | undefined
  /** Listens until the signal is aborted. */
  onWake(listener: (wake: Wake) => void, signal: AbortSignal): void
  /** Reports an application error without another listener. */
  readonly report: (error: unknown) => void
  /** The APIs for tabs that share a connection. */
  readonly page: Page
}

const page: Page = globalThis

/** The page or process this runs in. */
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
      // `visibilitychange` is dispatched at the document: the window sees it while capturing.
      page.addEventListener?.(name, look, { signal, capture: true })
    }
  },
  report(error) {
    // Throwing would end a Node process because of one listener's bug.
    // eslint-disable-next-line no-console -- there is no other place where an operator would look
    const tell = page.reportError ?? console.error
    tell(error)
  },
  page,
}

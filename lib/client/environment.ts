/** An event stream as browsers, and the `eventsource` package, have it. */
export interface EventSourceLike {
  /** 0 connecting, 1 open, 2 closed. */
  readonly readyState: number
  addEventListener(name: string, listener: (event: { data?: unknown; lastEventId?: string }) => void): void
  close(): void
}

/** The class of `EventSource`. */
export type EventSourceClass = new (url: string, init?: { withCredentials?: boolean }) => EventSourceLike

/** The parts of a request that are sent. */
export interface FetchInit {
  readonly method: string
  readonly headers: Record<string, string>
  readonly body?: string
  readonly cache: 'no-store'
  readonly credentials: 'include' | 'same-origin'
  readonly signal: AbortSignal
}

/** A response, as far as it is needed. */
export interface Answer {
  readonly status: number
  readonly headers: { get(name: string): string | null }
  readonly body: {
    getReader(): { read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }> }
    cancel(): Promise<void>
  } | null
}

/** `fetch`, as far as it is needed. */
export type Fetch = (url: string, init: FetchInit) => Promise<Answer>

/** Signs that the world around the page has changed. */
export type Wake = 'online' | 'visible' | 'leave' | 'return'

/** Everything that is not ours. Tests replace it. */
export interface Environment {
  /** Milliseconds since 1970: they go on while the device sleeps. */
  now(): number
  /** From 0 to 1, without 1. */
  random(): number
  /** Runs `task` once after `ms` milliseconds; the answer stops it. */
  after(ms: number, task: () => void): () => void
  readonly fetch: Fetch
  readonly EventSource: EventSourceClass | undefined
  /** What relative URLs are relative to; `undefined` outside of pages. */
  readonly base: string | undefined
  /** Listens until the signal is aborted. */
  onWake(listener: (wake: Wake) => void, signal: AbortSignal): void
  /** Tells of an error of the application's that nobody else listens to. */
  report(error: unknown): void
}

interface Target {
  addEventListener(name: string, listener: () => void, options: { signal: AbortSignal }): void
}

// Of a page. In Node, Bun and Deno some of them are missing.
declare const EventSource: EventSourceClass | undefined
declare const document: (Target & { readonly visibilityState: string; readonly baseURI: string }) | undefined
declare const window: Target | undefined
declare const reportError: ((error: unknown) => void) | undefined

/** The page, or the process, that this runs in. */
export const system: Environment = {
  now: () => Date.now(),
  random: () => Math.random(),
  after(ms, task) {
    const timer = setTimeout(task, ms)
    return () => clearTimeout(timer)
  },
  fetch: (url, init) => fetch(url, init),
  get EventSource() {
    return typeof EventSource === 'undefined' ? undefined : EventSource
  },
  get base() {
    return typeof document === 'undefined' ? undefined : document.baseURI
  },
  onWake(listener, signal) {
    if (typeof window === 'undefined' || typeof document === 'undefined') return
    const page = document
    const listen = (target: Target, name: string, wake: Wake): void => {
      const look = (): void => {
        if (wake !== 'visible' || page.visibilityState === wake) listener(wake)
      }
      target.addEventListener(name, look, { signal })
    }
    listen(window, 'online', 'online')
    listen(window, 'pagehide', 'leave')
    listen(window, 'pageshow', 'return')
    listen(page, 'resume', 'visible')
    listen(page, 'visibilitychange', 'visible')
  },
  report(error) {
    if (typeof reportError === 'function') reportError(error)
    // Thrown, it would end a process of Node for one listener's mistake.
    // eslint-disable-next-line no-console -- there is no other place where an operator would look
    else console.error(error)
  },
}

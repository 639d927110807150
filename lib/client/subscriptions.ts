/**
 * Changes the topics of an open stream from a page: a file of its own, since few pages need it. It uses the result of
 * `connect()`, and imports nothing else.
 *
 * @module koa-event-stream/client/subscriptions
 */

// One file: requests, retries and reconnects are closures that all change the same wishes.

import type { Arrival } from '../wire/notices.ts'
import { safely } from './bounded.ts'
import type { Page } from './environment.ts'
import { isUpTo } from './position.ts'

/** Options of `subscriptions()`. */
export interface SubscriptionsOptions {
  /** Headers, or a function called before each request. */
  headers?:
    Readonly<Record<string, string>> | (() => Readonly<Record<string, string>> | Promise<Record<string, string>>)
  /** Whether to send cookies cross-origin. Default `false`. */
  withCredentials?: boolean
  /** Called if a topic is refused when the stream is reopened. Default: the console, as for any uncaught error. */
  onError?: (error: unknown) => unknown
}

/** The used part of a stream from `connect()`. */
export interface LiveStream {
  readonly state: string
  readonly reason: string
  readonly lastEventId: string
  on(name: 'cursor', listener: (data: Arrival) => unknown): unknown
  addEventListener(name: 'open' | 'error', listener: () => void): void
}

/** The position from which a topic is live: state loaded now joins without a gap. */
export interface LiveTopic {
  readonly since: string
}

/** The topics of a page. */
export interface Subscriptions {
  /**
   * Adds a topic for the lifetime of the stream: whenever that is reopened the topic is requested again, and missed
   * events cause a gap.
   *
   * @param options.signal cancels it
   * @returns once the topic is live; waits while there is no connection
   * @throws {SubscriptionError} as a rejection, if the route refuses it, or the stream has ended
   */
  subscribe(topic: string, options?: { readonly signal?: AbortSignal }): Promise<LiveTopic>
  /**
   * Removes a topic. If the resolver returns it when the stream is reopened, it is back.
   *
   * @returns once none of its events will be sent any more
   * @throws {SubscriptionError} as a rejection, if the route refuses it
   */
  unsubscribe(topic: string): Promise<void>
}

/** Why a topic is not live. */
export class SubscriptionError extends Error {
  override readonly name = 'SubscriptionError'
  /** The status of the route's response; `undefined` if the stream has ended, or the subscription was cancelled. */
  readonly status: number | undefined

  constructor(message: string, status?: number) {
    super(message)
    this.status = status
  }
}

const page: Page = globalThis
// eslint-disable-next-line no-console -- there is no other place where an operator would look
const report = (error: unknown): void => (page.reportError ?? console.error)(error)

/** The most topics per request. */
const MOST = 100
/** The timeout of a request, in milliseconds. */
const ANSWER = 30_000
const FIRST_WAIT = 500
const LONGEST_WAIT = 30_000
/** How often an unknown stream is retried: it may still be opening. */
const MOST_MISSES = 5

interface Waiting {
  readonly resolve: (live: LiveTopic) => void
  readonly reject: (error: unknown) => void
}

interface Wish {
  readonly waiting: Set<Waiting>
  /** The stream on which the topic is live; empty if it is not live. */
  stream: string
  /** The id from which the topic has been live; empty before that. */
  since: string
}

/**
 * Changes the topics of an open stream, by a `subscriptionRoute()` of the same login.
 *
 *     const live = connect('/events')
 *     const topics = subscriptions(live, '/subscriptions')
 *     const { since } = await topics.subscribe('room:7')
 *
 * Call it right after `connect()`, before the stream opens.
 *
 * @param url of the route: relative to the page, or absolute
 */
export function subscriptions(live: LiveStream, url: string | URL, options: SubscriptionsOptions = {}): Subscriptions {
  const { headers = {}, withCredentials = false, onError = report } = options
  const wishes = new Map<string, Wish>()
  // Topics to be removed, with their waiting callers.
  const leaving = new Map<string, Set<Waiting>>()
  let stream = ''
  // The client's cursor when its stream was opened.
  let seen = live.lastEventId
  let failures = 0
  let misses = 0
  let isBusy = false
  // One of several topics was refused: retry them one by one to find it.
  let isAlone = false
  // Wakes a pending request or pause when the stream is replaced.
  let move = (): void => undefined
  let moved = Promise.resolve()

  const moveTo = (id: string): void => {
    stream = id
    move()
    moved = new Promise(resolve => (move = resolve))
  }

  const work = async (): Promise<void> => {
    if (isBusy) return
    isBusy = true
    for (let next; stream && (next = batch());) await ask(next, stream)
    isBusy = false
  }

  // Topics with another position on another stream are requested separately.
  const batch = (): Batch | undefined => {
    const most = isAlone ? 1 : MOST
    const removed = [...leaving.keys()].slice(0, most)
    if (removed.length) return { unsubscribe: removed, subscribe: [], seen: '' }
    const open = [...wishes].filter(([, wish]) => wish.stream !== stream)
    const [first] = open
    if (!first) return undefined
    const place = placeOf(first[1])
    const topics = open.filter(([, wish]) => placeOf(wish) === place).map(([topic]) => topic)
    return { subscribe: topics.slice(0, most), unsubscribe: [], seen: place }
  }

  const placeOf = ({ since }: Wish): string => (since && isUpTo(since, seen) ? seen : since)

  const request = async (wanted: Batch, to: string): Promise<Told> => {
    try {
      const init = {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(typeof headers === 'function' ? await headers() : headers) },
        body: JSON.stringify({ stream: to, ...wanted }),
        cache: 'no-store',
        credentials: withCredentials ? 'include' : 'same-origin',
        signal: AbortSignal.timeout(ANSWER),
      } as const
      const response = await fetch(url, init)
      const pause = Number(response.headers.get('retry-after')) * 1_000 || 0
      return [response.status, Object(await response.json().catch(() => ({}))) as Answer, pause]
    } catch {
      // Network failure, or timeout.
      return NOTHING
    }
  }

  // The application's headers function may hang.
  const ask = async (wanted: Batch, to: string): Promise<void> => {
    const [status, answer, pause] = (await Promise.race([request(wanted, to), sleep(ANSWER), moved])) ?? NOTHING
    if (to !== stream) return
    if (status === 200) done(wanted, to, textOf(answer.since))
    else if (mayChange(status)) await wait(pause)
    else if (wanted.subscribe.length + wanted.unsubscribe.length > 1) isAlone = true
    else refuse(wanted, status, textOf(answer.error))
  }

  const mayChange = (status: number): boolean => {
    if (status === 404) return ++misses < MOST_MISSES
    return !status || status >= 500 || status === 408 || status === 429
  }

  const done = ({ subscribe, unsubscribe }: Batch, to: string, since: string): void => {
    failures = misses = 0
    for (const topic of subscribe) {
      const wish = wishes.get(topic)
      // It may have been cancelled meanwhile.
      if (!wish) continue
      wish.stream = to
      wish.since = since
      settle(wish.waiting, ({ resolve }) => resolve({ since }))
    }
    for (const topic of unsubscribe) left(topic)
    if (!batch()) isAlone = false
  }

  const left = (topic: string): void => {
    const waiting = leaving.get(topic)
    leaving.delete(topic)
    if (waiting) settle(waiting, ({ resolve }) => resolve({ since: '' }))
  }

  const refuse = ({ subscribe, unsubscribe }: Batch, status: number, why: string): void => {
    misses = 0
    for (const topic of [...subscribe, ...unsubscribe]) {
      const error = new SubscriptionError(`the topic ${topic}: ${why} (status ${status})`, status)
      const waiting = wishes.get(topic)?.waiting ?? leaving.get(topic)
      wishes.delete(topic)
      leaving.delete(topic)
      if (!waiting?.size) safely(() => onError(error), report)
      else settle(waiting, ({ reject }) => reject(error))
    }
  }

  // Full jitter: pages that were refused together do not retry together.
  const wait = async (asked: number): Promise<void> => {
    const pause = asked + Math.random() * Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** failures++)
    await Promise.race([sleep(pause), moved])
  }

  // Does not keep the process alive.
  const sleep = (ms: number): Promise<void> =>
    new Promise(resolve => {
      const timer: unknown = setTimeout(resolve, ms)
      ;(timer as { unref?(): void }).unref?.()
    })

  const ended = (): SubscriptionError => new SubscriptionError(`the stream has ended: ${live.reason}`)

  live.on('cursor', data => {
    const { stream: id } = Object(data) as Partial<Arrival>
    if (typeof id !== 'string' || id === stream) return
    moveTo(id)
    failures = misses = 0
    // The resolver has decided again.
    for (const topic of leaving.keys()) left(topic)
    void work()
  })
  live.addEventListener('open', () => (seen = live.lastEventId))
  live.addEventListener('error', () => {
    if (live.state !== 'ended') return
    moveTo('')
    for (const topic of leaving.keys()) left(topic)
    for (const { waiting } of wishes.values()) settle(waiting, ({ reject }) => reject(ended()))
    wishes.clear()
  })

  return {
    async subscribe(topic, { signal } = {}) {
      if (live.state === 'ended') throw ended()
      signal?.throwIfAborted()
      left(topic)
      const wish = wishes.get(topic) ?? { waiting: new Set(), stream: '', since: '' }
      wishes.set(topic, wish)
      if (wish.stream && wish.stream === stream) return { since: wish.since }
      return new Promise((resolve, reject) => {
        const one = { resolve, reject }
        wish.waiting.add(one)
        signal?.addEventListener('abort', () => {
          if (!wish.waiting.delete(one)) return
          reject(signal.reason as Error)
          if (!wish.waiting.size && !wish.since) void this.unsubscribe(topic).catch(() => undefined)
        })
        void work()
      })
    },
    async unsubscribe(topic) {
      const wish = wishes.get(topic)
      wishes.delete(topic)
      if (wish)
        settle(wish.waiting, ({ reject }) =>
          reject(new SubscriptionError(`the subscription to topic ${topic} was cancelled`)),
        )
      if (!stream) return
      await new Promise((resolve, reject) => {
        const waiting = leaving.get(topic) ?? new Set()
        leaving.set(topic, waiting.add({ resolve, reject }))
        void work()
      })
    },
  }
}

const NOTHING: Told = [0, {}, 0]

interface Batch {
  readonly subscribe: readonly string[]
  readonly unsubscribe: readonly string[]
  readonly seen: string
}

/** The status, the rest of the response, and the milliseconds until a retry is allowed. */
type Told = readonly [status: number, answer: Answer, pause: number]

interface Answer {
  readonly since?: unknown
  readonly error?: unknown
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function settle(waiting: Set<Waiting>, tell: (one: Waiting) => void): void {
  const all = [...waiting]
  waiting.clear()
  all.forEach(tell)
}

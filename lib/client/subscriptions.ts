/**
 * Topics of a stream that lives, as a page wishes for them: a file of its own, since few pages need it. It stands on what
 * `connect()` answers, and imports nothing else.
 *
 * @module koa-event-stream/client/subscriptions
 */
import type { Arrival } from '../wire/notices.ts'
import { safely } from './bounded.ts'
import type { Page } from './environment.ts'
import { isUpTo } from './position.ts'

/** Options of `subscriptions()`. */
export interface SubscriptionsOptions {
  /** Headers, or a function that is asked for them before each request. */
  headers?:
    Readonly<Record<string, string>> | (() => Readonly<Record<string, string>> | Promise<Record<string, string>>)
  /** Sends cookies to other origins, too. Default `false`. */
  withCredentials?: boolean
  /**
   * Is told of a topic that the page had, and that was refused when its stream was opened anew. Default: the console, as of
   * any uncaught error.
   */
  onError?: (error: unknown) => unknown
}

/** What is needed of a stream: what `connect()` answers. */
export interface LiveStream {
  readonly state: string
  readonly reason: string
  readonly lastEventId: string
  on(name: 'cursor', listener: (data: Arrival) => unknown): unknown
  addEventListener(name: 'open' | 'error', listener: () => void): void
}

/** Where a topic is live: state that is loaded now joins behind it without a seam. */
export interface LiveTopic {
  readonly since: string
}

/** The topics that a page wishes for. */
export interface Subscriptions {
  /**
   * Adds a topic, for as long as the stream lives: whenever it is opened anew the topic is asked for again, and what came
   * meanwhile is told as a gap.
   *
   * @param options.signal gives it up
   * @returns once it is live; while there is no connection, that waits
   * @throws {SubscriptionError} as a rejection, where the route refuses it, and when the stream has ended
   */
  subscribe(topic: string, options?: { readonly signal?: AbortSignal }): Promise<LiveTopic>
  /**
   * Takes a topic away. What its resolver gives a stream that is opened anew comes back with it.
   *
   * @returns once nothing of it is sent any more
   * @throws {SubscriptionError} as a rejection, where the route refuses it
   */
  unsubscribe(topic: string): Promise<void>
}

/** Why a topic is not live. */
export class SubscriptionError extends Error {
  override readonly name = 'SubscriptionError'
  /** What the route has answered; `undefined` where the stream has ended, or the topic was given up. */
  readonly status: number | undefined

  constructor(message: string, status?: number) {
    super(message)
    this.status = status
  }
}

const page: Page = globalThis
// eslint-disable-next-line no-console -- there is no other place where an operator would look
const report = (error: unknown): void => (page.reportError ?? console.error)(error)

/** The most topics of one request. */
const MOST = 100
/** Milliseconds that an answer may take. */
const ANSWER = 30_000
const FIRST_WAIT = 500
const LONGEST_WAIT = 30_000
/** So often a stream that is not found is looked for again: it may be opening. */
const MOST_MISSES = 5

interface Waiting {
  readonly resolve: (live: LiveTopic) => void
  readonly reject: (error: unknown) => void
}

interface Wish {
  readonly waiting: Set<Waiting>
  /** The stream on which the topic is live; empty where it is on none. */
  stream: string
  /** The id from which on it has been live; empty before that. */
  since: string
}

/**
 * Adds topics to a stream while it lives, by a `subscriptionRoute()` of the same login.
 *
 *     const live = connect('/events')
 *     const topics = subscriptions(live, '/subscriptions')
 *     const { since } = await topics.subscribe('room:7')
 *
 * Call it right behind `connect()`, so that it hears where the stream stands.
 *
 * @param url of the route: relative to the page, or absolute
 */
export function subscriptions(live: LiveStream, url: string | URL, options: SubscriptionsOptions = {}): Subscriptions {
  const { headers = {}, withCredentials = false, onError = report } = options
  const wishes = new Map<string, Wish>()
  // Topics that are to be taken from the stream, with those who wait for it.
  const leaving = new Map<string, Set<Waiting>>()
  let stream = ''
  // Up to where the client had read when its stream was opened.
  let seen = live.lastEventId
  let failures = 0
  let misses = 0
  let isBusy = false
  // One of several topics was refused: which one is found out one by one.
  let isAlone = false
  // Whoever waits for an answer, or for the next time to ask, is not to wait for a stream that there is no more.
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

  // Topics that had another place on another stream are asked for by themselves.
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
      // There is no network, or no answer in time.
      return NOTHING
    }
  }

  // The function for the headers may hang.
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
      // It may have been given up meanwhile.
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

  // Pages that were refused together do not come back together: the jitter is full.
  const wait = async (asked: number): Promise<void> => {
    const pause = asked + Math.random() * Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** failures++)
    await Promise.race([sleep(pause), moved])
  }

  // No process is kept for it.
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
    // Its resolver has decided anew.
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
      if (wish) settle(wish.waiting, ({ reject }) => reject(new SubscriptionError(`the topic ${topic} was given up`)))
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

/** The status, what is answered besides, and for how many milliseconds nobody is to ask again. */
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

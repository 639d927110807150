import type { End, Receiver } from './attempt.ts'
import { BackOff } from './back-off.ts'
import { bounded } from './bounded.ts'
import type { Environment, FetchInit, Wake } from './environment.ts'
import { openByEventSource } from './eventsource-attempt.ts'
import { openByFetch } from './fetch-attempt.ts'
import { absolute, checkHeaders, type Settings } from './options.ts'
import type { Block } from './parser.ts'
import { isUpTo } from './position.ts'
import type { Reason, State } from './reasons.ts'
import { Watch } from './watch.ts'

/** An event, as it is told. */
export interface Message {
  readonly event: string
  readonly data: string
  /** Its own id, or that of the last event before it that had one. */
  readonly id: string
  /** Whether that is its own. */
  readonly hasId: boolean
}

/** What a connection tells. */
export interface ConnectionHost {
  /** The state, or the reason for it, has changed. */
  changed(): void
  /** A stream stands that began without a cursor: what came before it is not known. */
  began(): void
  message(message: Message): void
  failed(error: unknown): void
}

/** How long the functions of the application may take before an attempt, in milliseconds. */
const PREPARATION = 30_000
/** The first bytes of a long poll come so many milliseconds before its end only where nobody holds them back. */
const HELD_NO_MORE = 2_000
/** Two polls begin at least so many milliseconds apart. */
const POLL_SPACING = 500

/**
 * One stream over any number of attempts, each of which resumes where the last one stopped. Events come in order, each
 * once.
 */
export class Connection {
  state: State = 'connecting'
  reason: Reason = 'start'
  /** The last id that was seen. */
  lastId: string
  /** The URL of the last attempt, as the application gave it. */
  url = ''

  readonly #env: Environment
  readonly #settings: Settings
  readonly #host: ConnectionHost
  readonly #names: Set<string>
  readonly #backOff = new BackOff()
  readonly #watch: Watch
  readonly #life = new AbortController()
  #attempts = 0
  // Ends what is under way: an attempt, its preparation, or the wait for it.
  #current = new AbortController()
  // Has the EventSource, where there is one, listen for events of another name.
  #listenFor: ((name: string) => void) | undefined
  #cancelWait: () => void = () => undefined
  #notBefore = 0
  // Whether an answer is awaited, or read.
  #isAttached = false
  // Since when streams have been open, but for the moments in which they were replaced.
  #healthySince: number | undefined
  // Whether ids are of the log: they rise.
  #isLog: boolean
  // Whether the stream is read as a long poll, and whether that has been found to work.
  #poll: 'no' | 'trial' | 'proved' = 'no'
  #hasAskedAgain = false
  // Whether the next attempt is made by `fetch`, to see the status that an EventSource hides.
  #isVisible = false
  #isFull = false
  #room: (() => void) | undefined

  constructor(env: Environment, settings: Settings, since: string, names: Set<string>, host: ConnectionHost) {
    this.#env = env
    this.#settings = settings
    this.#host = host
    this.#names = names
    this.lastId = since
    this.#isLog = since !== ''
    this.#watch = new Watch(env, hasBytes => (hasBytes ? this.#silent() : this.#held()))
    // A POST is not made twice on a mere suspicion.
    this.#watch.mayHold = settings.method === 'GET'
  }

  start(): void {
    this.#env.onWake(wake => this.#wake(wake), this.#life.signal)
    void this.#attempt('start')
  }

  /** Shows events of another name from now on. */
  listen(name: string): void {
    if (this.#names.has(name)) return
    this.#names.add(name)
    this.#listenFor?.(name)
  }

  end(reason: Reason): void {
    if (this.state === 'ended') return
    this.#stop()
    this.#life.abort()
    this.#become('ended', reason)
  }

  /** More comes than is taken: nothing is to come until `resume()`. */
  pause(): void {
    if (this.#isFull || this.state !== 'open') return
    this.#isFull = true
    // A response of `fetch` is not read on; what has come of it is still told. An EventSource can only be closed.
    if (this.#listenFor !== undefined) this.#stop()
    this.#watch.stop()
    this.#become('paused', 'slow')
  }

  resume(): void {
    if (!this.#isFull) return
    this.#isFull = false
    const room = this.#room
    this.#room = undefined
    room?.()
    if (this.state !== 'paused' || this.reason !== 'slow') return
    if (this.#isAttached) {
      this.#become('open', this.#isPolling ? 'poll' : 'stream')
      this.#watch.goOn()
    } else void this.#attempt('slow')
  }

  get #isPolling(): boolean {
    return this.#poll !== 'no'
  }

  async #attempt(reason: Reason): Promise<void> {
    this.#stop()
    if (this.#isFull) {
      this.#become('paused', 'slow')
      return
    }
    const { signal } = (this.#current = new AbortController())
    this.#become('connecting', reason)
    const settings = this.#settings
    const env = this.#env
    this.#attempts += 1
    let url: URL
    let headers: Record<string, string>
    try {
      const limit = { what: 'url', ms: PREPARATION, stop: signal }
      const prepared = await bounded(env, limit, async calling => {
        const attempt = { attempt: this.#attempts, reason, signal: calling }
        const given = await settings.url(attempt)
        return given === null ? null : ([absolute(given, env), checkHeaders(await settings.headers(attempt))] as const)
      })
      if (signal.aborted) return
      if (prepared === null) {
        this.end('url')
        return
      }
      ;[url, headers] = prepared
    } catch (error) {
      if (signal.aborted) return
      this.#host.failed(error)
      this.#wait('url')
      return
    }
    this.url = url.href
    this.#open(url, headers, signal)
  }

  #open(url: URL, given: Record<string, string>, signal: AbortSignal): void {
    const env = this.#env
    const to = this.#receiver(signal)
    const { transport, method, body, withCredentials } = this.#settings
    const headers: Record<string, string> = { Accept: 'text/event-stream', ...given }
    this.#isAttached = true
    const words = this.#isPolling ? ['heartbeat=event', 'stream=poll'] : ['heartbeat=event']
    if (this.lastId !== '') {
      // In the URL it needs no leave of CORS.
      if (transport === 'fetch') headers['Last-Event-ID'] = this.lastId
      else {
        if (url.searchParams.has('lastEventId')) url.searchParams.delete('lastEventId')
        words.push(`lastEventId=${encodeURIComponent(this.lastId)}`)
      }
    }
    // What the URL holds stays as the application wrote it: it may be signed.
    url.search += (url.search === '' ? '' : '&') + words.join('&')
    url.hash = ''
    const credentials = withCredentials ? 'include' : 'same-origin'
    const init: FetchInit = {
      method,
      headers,
      cache: 'no-store',
      credentials,
      signal,
      ...(body !== undefined && { body }),
    }
    this.#watch.begin(this.#isPolling)
    const isVisible = this.#isVisible || this.#isPolling
    this.#isVisible = false
    if (transport === 'eventsource' && !isVisible && env.EventSource !== undefined) {
      this.#listenFor = openByEventSource(env, env.EventSource, url.href, init, to)
      this.#names.forEach(this.#listenFor)
    } else void openByFetch(env, url.href, init, to)
  }

  // Of one attempt, which is over once its signal is aborted.
  #receiver(signal: AbortSignal): Receiver {
    const isNew = this.lastId === ''
    const startedAt = this.#env.now()
    let firstAt: number | undefined
    let hasEvents = false
    return {
      opened: () => {
        if (signal.aborted) return
        this.#healthySince ??= this.#env.now()
        this.#hasAskedAgain = false
        this.#watch.opened()
        this.#become('open', this.#isPolling ? 'poll' : 'stream')
        if (isNew) this.#host.began()
      },
      sign: () => {
        if (signal.aborted) return
        firstAt ??= this.#env.now()
        this.#watch.sign()
      },
      block: block => {
        hasEvents ||= block.event !== 'heartbeat'
        if (!signal.aborted) this.#take(block)
      },
      retry: ms => {
        this.#backOff.retry = Math.min(ms, 3_600_000)
      },
      room: () => (this.#isFull ? new Promise(resolve => (this.#room = resolve)) : undefined),
      ended: end => {
        if (signal.aborted) return
        if (this.#isPolling && end.reason === 'closed' && firstAt !== undefined) this.#pollAgain(startedAt, firstAt)
        else this.#ended(end, hasEvents)
      },
    }
  }

  #take({ event, data, id }: Block): void {
    if (id !== undefined) {
      // What a connection that was thought dead has brought already.
      const isKnown = this.#isLog && isUpTo(id, this.lastId)
      if (isKnown && event !== 'cursor') return
      if (!isKnown) this.lastId = id
    }
    if (data === undefined) return
    // An EventSource does not show the field.
    if (OWN.has(event)) this.#backOff.retry = numberIn(data, 'retry') ?? this.#backOff.retry
    if (event === 'heartbeat' || event === 'cursor') {
      if (event === 'cursor') this.#isLog = true
      this.#watch.expect(numberIn(data, 'heartbeat'))
      if (event === 'heartbeat') return
    }
    this.#host.message({ event, data, id: this.lastId, hasId: id !== undefined })
    if (event === 'goaway') this.#goAway(data)
  }

  // The last block: nothing of use comes after it.
  #goAway(data: string): void {
    const reason = FAREWELLS.find(one => data.includes(`"reason":"${one}"`)) ?? 'server'
    if (reason === 'done' || reason === 'logout' || reason === 'revoked') this.end(reason)
    else this.#wait(reason)
  }

  #ended({ reason, isFinal = false, isHidden = false, wait = 0 }: End, hasEvents: boolean): void {
    this.#isVisible = isHidden
    const isGet = this.#settings.method === 'GET'
    if (isFinal) this.end(reason)
    else if (reason === 'unauthenticated') {
      if (!this.#settings.isFresh || this.#hasAskedAgain) this.end(reason)
      else {
        this.#hasAskedAgain = true
        void this.#attempt(reason)
      }
    }
    // An answer that was read to its end; only of a GET does a proxy's end mean nothing.
    else if (!isGet && reason === 'closed') this.end('done')
    // It would begin anew.
    else if (!isGet && hasEvents && this.lastId === '') this.end('interrupted')
    else this.#wait(reason, wait)
  }

  #pollAgain(startedAt: number, firstAt: number): void {
    const now = this.#env.now()
    // Its bytes came before its end: nobody holds them back, or not any more.
    this.#poll = now - firstAt > HELD_NO_MORE ? 'no' : 'proved'
    this.#current.abort()
    this.#watch.stop()
    this.#cancelWait = this.#env.after(Math.max(0, startedAt + POLL_SPACING - now), () => void this.#attempt('poll'))
  }

  #wait(reason: Reason, asked = 0): void {
    const lived = this.#healthySince === undefined ? 0 : this.#env.now() - this.#healthySince
    this.#healthySince = undefined
    this.#stop()
    if (this.#poll === 'trial') this.#poll = 'no'
    const { floor, wait } = this.#backOff.next(lived, asked, this.#env.random())
    this.#notBefore = this.#env.now() + floor
    this.#cancelWait = this.#env.after(wait, () => void this.#attempt(reason))
    this.#become('waiting', reason)
  }

  #stop(): void {
    this.#current.abort()
    this.#cancelWait()
    this.#watch.stop()
    this.#listenFor = undefined
    this.#isAttached = false
    this.#room = undefined
  }

  #become(state: State, reason: Reason): void {
    // Between two polls nothing is to be seen.
    if (this.#isPolling && state === 'connecting' && reason === 'poll') return
    if (state === this.state && reason === this.reason && this.#attempts > 0) return
    this.state = state
    this.reason = reason
    this.#host.changed()
  }

  #silent(): void {
    if (this.state === 'open') void this.#attempt('silent')
    else this.#wait('silent')
  }

  // No byte has come of an attempt.
  #held(): void {
    if (this.#isPolling || !this.#watch.mayHold) {
      this.#watch.mayHold = false
      this.#wait('silent')
      return
    }
    this.#poll = 'trial'
    void this.#attempt('held-back')
  }

  #wake(wake: Wake): void {
    if (wake === 'leave') {
      this.#stop()
      this.#become('paused', 'page')
    } else if (this.state === 'paused') {
      if (this.reason === 'page' && wake === 'return') void this.#attempt('page')
    } else if (this.state === 'waiting') {
      this.#cancelWait()
      this.#cancelWait = this.#env.after(
        Math.max(0, this.#notBefore - this.#env.now()),
        () => void this.#attempt(wake === 'online' ? 'online' : this.reason),
      )
    } else if (wake === 'online') {
      // What was connected by the old network may be dead without a word.
      this.#poll = 'no'
      this.#watch.mayHold = this.#settings.method === 'GET'
      void this.#attempt('online')
    } else this.#watch.look()
  }
}

// The events of the library's own that say how long to wait.
const OWN: ReadonlySet<string> = new Set(['heartbeat', 'goaway'])

// All but those that no block tells.
const FAREWELLS = ['done', 'logout', 'revoked', 'expired', 'unverifiable', 'max-age', 'drain', 'overload'] as const

// From the library's own JSON, whose shape is known: one bad answer of a proxy must not throw.
function numberIn(data: string, field: string): number | undefined {
  const found = new RegExp(`"${field}":(\\d+)`).exec(data)
  return found === null ? undefined : Number(found[1])
}

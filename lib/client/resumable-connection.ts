import type { End, Receiver } from './attempt.ts'
import { bounded } from './bounded.ts'
import type { Environment, Wake } from './environment.ts'
import type { Connection, ConnectionHost } from './connection.ts'
import { ANSWER, FIRST_BYTE, HELD_NO_MORE, POLL_SPACING } from './limits.ts'
import type { Settings } from './options.ts'
import type { Reason, State } from './reasons.ts'
import { open, prepare, type Prepared } from './request.ts'
import { createReading } from './reading.ts'
import { createSchedule } from './schedule.ts'
import { createWatch } from './watch.ts'

/** Each attempt resumes where the last one stopped. Events are delivered in order, each once. */
export function createConnection(
  env: Environment,
  settings: Settings,
  lastId: string,
  names: Set<string>,
  host: ConnectionHost,
): Connection {
  const { isGet } = settings
  const life = new AbortController()
  let attempts = 0
  // Aborts the current attempt, or its preparation.
  let current = new AbortController()
  // Adds an event name to the EventSource, if there is one.
  let listenFor: ((name: string) => void) | undefined
  // Whether a stream without a byte may be buffered by the network. A POST is not repeated on suspicion.
  let mayHold = isGet
  // Whether long polling is used, and whether it has been found to work.
  let isPoll = false
  let isProved = false
  let hasAskedAgain = false
  // Whether the next attempt uses `fetch`, to see the status that EventSource hides.
  let isByFetch: boolean | undefined
  // When the attempt's first bytes arrived; 0 before that.
  let firstAt = 0
  let isFull = false
  let room: (() => void) | undefined

  // Whether another attempt could repeat the effects of a POST.
  const isSpent = (): unknown => !isGet && firstAt && !self.lastId

  const attempt = async (reason: Reason): Promise<void> => {
    stop()
    if (isSpent()) {
      end('interrupted')
      return
    }
    if (isFull) {
      become('paused', 'slow')
      return
    }
    const { signal } = (current = new AbortController())
    // The state does not change between two polls.
    if (reason !== 'poll') become('connecting', reason)
    try {
      const about = { attempt: ++attempts, reason, signal }
      const prepared = await bounded(env, 'url', signal, () => prepare(env, settings, about))
      if (signal.aborted) return
      if (prepared) begin(prepared, signal)
      else end('url')
    } catch (error) {
      if (signal.aborted) return
      host.failed(error)
      wait('url')
    }
  }

  const begin = (prepared: Prepared, signal: AbortSignal): void => {
    self.url = prepared[0].href
    firstAt = 0
    watch.start(mayHold && !isPoll ? FIRST_BYTE : ANSWER)
    listenFor = open(env, settings, prepared, self.lastId, isPoll, isByFetch ?? isPoll, signal, receiver(signal))
    isByFetch = undefined
    if (listenFor) names.forEach(listenFor)
  }

  // Receives one attempt, which is over once its signal is aborted.
  const receiver = (signal: AbortSignal): Receiver => {
    const isNew = !self.lastId
    const startedAt = env.now()
    return {
      opened() {
        if (signal.aborted) return
        schedule.opened()
        hasAskedAgain = false
        if (!mayHold && !isPoll) watch.allow(Infinity)
        stand()
        // `onState` may have closed it.
        // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- the compiler does not see that
        if (isNew && !signal.aborted) host.began()
      },
      sign() {
        if (signal.aborted) return
        watch.sign()
        if (firstAt) return
        firstAt = env.now()
        watch.allow(isPoll ? ANSWER : Infinity)
      },
      block(event, data, id) {
        if (signal.aborted) return
        const end = read(event, data, id)
        if (end) ended(end)
      },
      askFor: schedule.askFor,
      room: () => (isFull ? new Promise(resolve => (room = resolve)) : undefined),
      ended(end, isHidden) {
        if (signal.aborted) return
        isByFetch = isHidden
        if (!isPoll || !firstAt || end[0] !== 'closed') {
          ended(end)
          return
        }
        // The bytes arrived well before the end: the network does not buffer, or no longer.
        isPoll = isProved = env.now() - firstAt <= HELD_NO_MORE
        stop()
        schedule.at(startedAt + POLL_SPACING, 'poll')
      },
    }
  }

  const ended = ([reason, isFinal, asked]: End): void => {
    if (reason === 'unauthenticated' && settings.isFresh && !hasAskedAgain) {
      hasAskedAgain = true
      void attempt(reason)
    } else if (isFinal) end(reason)
    // A response read to its end; a GET may have been ended by a proxy.
    else if (!isGet && reason === 'closed') end('done')
    else if (isSpent()) end('interrupted')
    else wait(reason, asked)
  }

  const wait = (reason: Reason, asked = 0): void => {
    stop()
    isPoll &&= isProved
    schedule.later(reason, asked)
    become('waiting', reason)
  }

  const stop = (): void => {
    current.abort()
    schedule.clear()
    watch.stop()
  }

  const end = (reason: Reason): void => {
    if (self.state === 'ended') return
    stop()
    life.abort()
    become('ended', reason)
  }

  const become = (state: State, reason: Reason): void => {
    if (state === self.state && reason === self.reason) return
    self.state = state
    self.reason = reason
    host.changed()
  }

  const stand = (): void => become('open', isPoll ? 'poll' : 'stream')

  const silent = (): void => {
    if (firstAt) void attempt('silent')
    else if (isPoll || !mayHold) {
      mayHold = false
      wait('silent')
    } else {
      // The attempt received no byte.
      isPoll = true
      isProved = false
      void attempt('held-back')
    }
  }

  const wake = (sign: Wake): void => {
    if (sign === 'pagehide') {
      stop()
      become('paused', 'page')
    } else if (self.state === 'paused') {
      if (self.reason === 'page') schedule.hasten('page')
    } else if (self.state === 'waiting') schedule.hasten(sign === 'online' ? sign : self.reason)
    else if (sign === 'online') {
      // A connection over the old network may be dead.
      isPoll = false
      mayHold = isGet
      void attempt(sign)
    } else watch.look()
  }

  const schedule = createSchedule(env, attempt)
  const watch = createWatch(env, silent)
  const self: Connection = {
    state: 'connecting',
    // Irrelevant: the first attempt is made at once.
    reason: 'client',
    lastId,
    url: '',
    start() {
      env.onWake(wake, life.signal)
      void attempt('start')
    },
    listen(name) {
      if (names.has(name)) return
      names.add(name)
      listenFor?.(name)
    },
    end,
    pause() {
      if (isFull || self.state !== 'open') return
      isFull = true
      // A `fetch` response is no longer read; what has arrived is still delivered. An EventSource can only be closed.
      if (listenFor) stop()
      watch.stop()
      become('paused', 'slow')
    },
    resume() {
      if (!isFull) return
      isFull = false
      room?.()
      if (self.reason !== 'slow') return
      if (current.signal.aborted) void attempt('slow')
      else {
        stand()
        watch.start()
      }
    },
  }
  const read = createReading(self, schedule, watch, host)
  return self
}

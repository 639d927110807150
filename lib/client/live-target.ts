import type { EventMap } from '../wire/event.ts'
import { safely } from './bounded.ts'
import type { ConnectionHost } from './connection.ts'
import type { Environment } from './environment.ts'
import { createInbox } from './inbox.ts'
import { OWN_ACTION } from './limits.ts'
import type { Live } from './live.ts'
import { createLoader } from './loader.ts'
import type { ConnectOptions, LoadReason, Settings } from './options.ts'
import { ownEvent, parseJson } from './own-event.ts'
import { createReader, type Reader } from './reader.ts'
import type { About, Received } from './received.ts'
import type { Reason, State } from './reasons.ts'
import { createConnection } from './resumable-connection.ts'

type Handler = ((event: Event) => unknown) | null

/** Connects the connection, the inbox and the loader to the application's listeners. */
export function createLive<Events extends object = EventMap>(
  env: Environment,
  settings: Settings,
  { since = '', load, events = [], parse = parseJson, share, onState, onError = env.report }: ConnectOptions,
): Live<Events> {
  const readers = new Set<Reader<Received>>()
  // The names of events whose data has a listener.
  const read = new Set<string>()
  // The event being dispatched, and its data as parsed.
  let told: Event | undefined
  let value: unknown
  let isStuck = false
  // The state and reason last reported.
  let shown = ''

  class LiveTarget extends EventTarget {
    onmessage: Handler = null
    onopen: Handler = null
    onerror: Handler = null

    get state(): State {
      return isPaused() ? 'paused' : connection.state
    }

    get reason(): Reason {
      return isPaused() ? 'load' : connection.reason
    }

    get lastEventId(): string {
      return connection.lastId
    }

    get url(): string {
      return connection.url
    }

    get readyState(): 0 | 1 | 2 {
      const { state } = this
      return state === 'open' ? 1 : state === 'ended' ? 2 : 0
    }

    on(name: string, listener: (data: never, about: About) => unknown): () => void {
      const call = (event: Event): void => {
        if (event !== told) return
        const about = { event: name, id: (event as MessageEvent).lastEventId }
        const data = value as never
        safely(() => listener(data, about), failed)
      }
      read.add(name)
      this.addEventListener(name, call)
      return () => this.removeEventListener(name, call)
    }

    override addEventListener(...args: Parameters<EventTarget['addEventListener']>): void {
      super.addEventListener(...args)
      // These belong to the target and the connection.
      if (args[0] !== 'open' && args[0] !== 'error') connection.listen(args[0])
    }

    async mine<R extends { readonly headers: { get(name: string): string | null } }>(
      request: R | PromiseLike<R>,
    ): Promise<R> {
      const holder = inbox.hold()
      const release = (): void => inbox.release(holder)
      const cancel = env.after(OWN_ACTION, release)
      try {
        const response = await request
        inbox.skip(response.headers.get('event-id')?.split(/[\s,]+/) ?? [])
        return response
      } finally {
        cancel()
        release()
      }
    }

    [Symbol.asyncIterator](): AsyncIterableIterator<Received, undefined> {
      const reader = createReader<Received>(pause, goOn, () => {
        readers.delete(reader)
        goOn()
      })
      if (this.state === 'ended') reader.end()
      else readers.add(reader)
      return reader.iterator
    }

    close(): void {
      for (const reader of readers) reader.drop()
      inbox.drop(true)
      loader?.stop(true)
      told?.stopImmediatePropagation()
      told = undefined
      connection.end('client')
    }
  }

  const failed = (error: unknown): void => safely(() => onError(error), env.report)
  const isPaused = (): boolean => isStuck && connection.state === 'open'
  const pause = (): void => connection.pause()
  const goOn = (): void => {
    for (const reader of readers) if (reader.isFull()) return
    connection.resume()
  }
  const emptied = (): void => {
    if (connection.state === 'ended') for (const reader of readers) reader.end()
    else goOn()
  }
  const tell = (): void => {
    const { state, reason } = live
    const now = `${state} ${reason}`
    if (now === shown) return
    shown = now
    safely(() => onState?.(state, reason), failed)
    // `onState` may have closed the stream.
    if (now === shown && state !== 'connecting' && state !== 'paused')
      live.dispatchEvent(new Event(state === 'open' ? state : 'error'))
  }

  const live = new LiveTarget()
  const names = new Set(['message', 'cursor', 'gap', 'goaway', 'heartbeat', ...events])
  const host: ConnectionHost = {
    changed() {
      if (connection.state === 'ended') {
        loader?.stop()
        // Deliver queued events before the readers end.
        inbox.release()
      }
      tell()
    },
    began: () => loader?.run({ reason: 'start' }),
    message(message) {
      if (message.event === 'gap') {
        const gap = ownEvent(message.data)
        if (gap.topics) loader?.run(gap as LoadReason)
      }
      inbox.take(message)
    },
    failed,
  }
  let connection = createConnection(env, settings, since, names, host)
  const start = async (): Promise<void> => {
    if (share) {
      try {
        const { createSharedConnection } = await import('./share.ts')
        connection = createSharedConnection(env, settings, share, connection, names, host, createConnection)
      } catch (error) {
        failed(error)
      }
    }
    // It may have been closed meanwhile.
    if (connection.state !== 'ended') connection.start()
  }
  const deliver = (event: string, data: string, id: string): void => {
    const isOurs = event === 'cursor' || event === 'goaway'
    const { origin } = new URL(connection.url)
    const message = (told = new MessageEvent(event, { data, lastEventId: id, origin }))
    value = undefined
    try {
      if (read.has(event) || readers.size) value = (isOurs || event === 'gap' ? parseJson : parse)(data, event)
    } catch (error) {
      failed(error)
    }
    live.dispatchEvent(message)
    // A listener may have closed it.
    if (message === told && !isOurs) for (const reader of readers) reader.take({ event, data: value, id })
  }
  const inbox = createInbox(deliver, pause, emptied)
  const loader =
    load &&
    createLoader(env, load, inbox, failed, stuck => {
      isStuck = stuck
      tell()
    })
  for (const name of ['message', 'open', 'error'] as const) {
    live.addEventListener(name, event => safely(() => live[`on${name}`]?.(event), failed))
  }
  safely(start, failed)
  return live as unknown as Live<Events>
}

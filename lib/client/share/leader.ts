import type { Connection, ConnectionHost } from '../connection.ts'
import type { Environment, Wake } from '../environment.ts'
import type { Settings } from '../options.ts'
import { isUpTo } from '../position.ts'
import type { createConnection } from '../resumable-connection.ts'
import type { Backlog } from './backlog.ts'
import { pack, type Question, type Told } from './words.ts'

/** The dependencies of a leader. */
export interface Office {
  readonly env: Environment
  readonly settings: Settings
  readonly createConnection: typeof createConnection
  /** Reports errors of the application's functions. */
  readonly failed: (error: unknown) => void
}

/** A new leader's starting point. */
export interface Place {
  readonly term: string
  /** The cursor of its tab. */
  readonly cursor: string
  /** The last URL, for messages before the first attempt. */
  readonly url: string
  readonly names: Iterable<string>
  /** The tab's backlog, owned by the leader from now on. */
  readonly backlog: Backlog
}

/** Runs the shared connection and broadcasts to all tabs. Its own tab receives the messages like any other. */
export interface Leader {
  wake(sign: Wake): void
  stop(): void
}

/** Opens the connection, and leads until `stop()`. */
export function createLeader({ env, settings, createConnection, failed }: Office, key: string, place: Place): Leader {
  const { term, backlog } = place
  const shown = new Set(place.names)
  // Tabs whose cursors have another epoch than the leader's: one of the two is outdated, and they wait to be told of
  // it.
  const waiting = new Map<string, Question>()
  let isCatchingUp = false
  let isQuiet = false
  // The data of the last `cursor` event.
  let arrival: string | undefined
  let wake: (sign: Wake) => void = () => undefined

  const tell = (more: Partial<Told> = {}): void => {
    const { state, reason, url } = inner
    const isHidden = !!env.page.document?.hidden
    channel.postMessage({ term, state, reason, url: url || place.url, isHidden, ...more } satisfies Told)
  }

  const host: ConnectionHost = {
    changed() {
      if (!isQuiet) tell()
    },
    began: () => tell({ from: '' }),
    message(message) {
      backlog.add(message)
      tell({ events: [pack(message)] })
      if (message.event !== 'cursor') return
      arrival = message.data
      isCatchingUp = false
      const questions = [...waiting.values()]
      waiting.clear()
      for (const question of questions) join(question, true)
    },
    failed,
  }

  // `isCurrent`: the leader's own cursor has just been confirmed to be of the log's current epoch.
  const join = (question: Question, isCurrent = false): void => {
    const { tab: to, cursor } = question
    const isNew = learn(question.names)
    const names = [...shown]
    const missed = backlog.after(cursor)
    if (missed && !isNew) tell({ to, names, events: missed.map(pack) })
    // A new tab, or one whose ids are not comparable.
    else if (!isUpTo(cursor, cursor)) welcome(to, names, isNew)
    else {
      const own = inner.lastId
      const from = isUpTo(own, cursor) ? own : cursor
      const isForeign = own && !isUpTo(from, own)
      if (isForeign && (isCatchingUp || !isCurrent)) {
        waiting.set(to, question)
        if (!isCatchingUp) restart(own)
      } else {
        restart(from)
        tell({ to, names })
      }
    }
  }

  const welcome = (to: string, names: string[], isNew: boolean): void => {
    const from = inner.lastId
    const events = arrival !== undefined && from ? [['cursor', arrival, from] as const] : []
    tell({ to, names, isNew, events, ...((from || inner.state === 'open') && { from }) })
  }

  // Resumes from an older position. Tabs that have seen the events skip them.
  const restart = (from: string): void => {
    backlog.reset(from)
    isCatchingUp = true
    const isFirst = !inner.lastId
    inner.lastId = from
    // It will not call `began` again.
    if (isFirst) tell({ from })
    if (inner.state === 'waiting') return
    isQuiet = true
    wake('pagehide')
    isQuiet = false
    wake('pageshow')
  }

  // EventSource delivers only events with a listener: returns whether it needs more.
  const learn = (names: readonly string[]): boolean => {
    const more = names.filter(name => !shown.has(name))
    if (!settings.Source || !more.length) return false
    for (const name of more) inner.listen(name)
    // The backlog lacks these events, and so does what has arrived since.
    backlog.reset('')
    return true
  }

  // Page events that concern only this tab must not affect the connection.
  const inside: Environment = { ...env, onWake: listener => (wake = listener) }
  const inner: Connection = createConnection(inside, settings, place.cursor, shown, host)
  // eslint-disable-next-line @typescript-eslint/no-non-null-assertion -- checked before sharing
  const channel = new env.page.BroadcastChannel!(key)
  channel.addEventListener('message', event => {
    const question = (event as MessageEvent).data as Question | Told
    if (!('ask' in question) || inner.state === 'ended') return
    if (question.ask === 'join') join(question)
    else if (question.ask === 'alive') tell()
    else if (learn(question.names)) tell({ names: [...shown], isNew: true })
  })
  inner.start()

  return {
    wake(sign) {
      if (inner.state !== 'ended') wake(sign)
    },
    stop() {
      isQuiet = true
      inner.end('client')
      tell({ isOver: true })
      channel.close()
    },
  }
}

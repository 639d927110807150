import type { Connection, ConnectionHost } from '../connection.ts'
import type { Environment, Wake } from '../environment.ts'
import type { Settings } from '../options.ts'
import { isUpTo } from '../position.ts'
import type { createConnection } from '../resumable-connection.ts'
import type { Backlog } from './backlog.ts'
import { pack, type Question, type Told } from './words.ts'

/** What a tab needs for the connection of all. */
export interface Office {
  readonly env: Environment
  readonly settings: Settings
  readonly createConnection: typeof createConnection
  /** Tells of what the application's functions fail with. */
  readonly failed: (error: unknown) => void
}

/** Where a leader begins. */
export interface Place {
  readonly term: string
  /** The cursor of its tab. */
  readonly cursor: string
  /** The last URL, for messages that come before the first attempt. */
  readonly url: string
  readonly names: Iterable<string>
  /** What the tab has kept: it is the leader's from now on. */
  readonly backlog: Backlog
}

/** The connection of all tabs, and what it tells them. Its own tab listens like any other. */
export interface Leader {
  wake(sign: Wake): void
  stop(): void
}

/** Opens the connection, and leads until `stop()`. */
export function createLeader({ env, settings, createConnection, failed }: Office, key: string, place: Place): Leader {
  const { term, backlog } = place
  const shown = new Set(place.names)
  // Tabs whose cursors are of another life of the log than ours: one of both has been lost, and all are to be told of it.
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

  // `isCurrent`: our own cursor has just been found to be of the life that the log has now.
  const join = (question: Question, isCurrent = false): void => {
    const { tab: to, cursor } = question
    const isNew = learn(question.names)
    const names = [...shown]
    const missed = backlog.after(cursor)
    if (missed && !isNew) tell({ to, names, events: missed.map(pack) })
    // One that begins, or whose ids compare with nothing.
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

  // Has it resumed from an older place. Whoever has seen what comes then skips it.
  const restart = (from: string): void => {
    backlog.reset(from)
    isCatchingUp = true
    const isFirst = !inner.lastId
    inner.lastId = from
    // It will not be told to have begun.
    if (isFirst) tell({ from })
    if (inner.state === 'waiting') return
    isQuiet = true
    wake('pagehide')
    isQuiet = false
    wake('pageshow')
  }

  // An EventSource shows only what it listens to: answers whether it has to listen to more.
  const learn = (names: readonly string[]): boolean => {
    const more = names.filter(name => !shown.has(name))
    if (!settings.Source || !more.length) return false
    for (const name of more) inner.listen(name)
    // What was kept lacks these, and so does what has come since that.
    backlog.reset('')
    return true
  }

  // The connection is not to hear of the page what ends a tab's part, and not the connection.
  const inside: Environment = { ...env, onWake: listener => (wake = listener) }
  const inner: Connection = createConnection(inside, settings, place.cursor, shown, host)
  // eslint-disable-next-line @typescript-eslint/no-non-null-assertion -- looked for before anything is shared
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

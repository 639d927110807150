import type { Connection, ConnectionHost } from '../connection.ts'
import type { Channel, Environment, Locks, Wake } from '../environment.ts'
import type { Settings } from '../options.ts'
import type { Reason, State } from '../reasons.ts'
import type { createConnection } from '../resumable-connection.ts'
import { createElection, type Candidate } from './election.ts'
import { createFollower } from './follower.ts'
import { createLeader, type Leader } from './leader.ts'
import { LINGER } from './limits.ts'
import { createVigil } from './vigil.ts'
import { keyOf, type Question, type Share, type Told } from './words.ts'

/** Without Web Locks, such as in a frame without an origin, this tab does not share. */
const ALONE: Locks = { request: async (_key, _options, hold) => hold() }

/**
 * One connection for all tabs of an identity. The leader has the connection and broadcasts to all tabs, including
 * itself. Each tab keeps its own cursor.
 *
 * @param own an unstarted connection: the initial state, and returned if sharing is unavailable
 */
export function createSharedConnection(
  env: Environment,
  settings: Settings,
  share: Share,
  own: Connection,
  names: Set<string>,
  host: ConnectionHost,
  connect: typeof createConnection,
): Connection {
  const { locks } = env.page.navigator ?? {}
  const { BroadcastChannel } = env.page
  if (!locks || !BroadcastChannel) return own
  let key = keyOf(share)
  try {
    new BroadcastChannel(key).close()
  } catch {
    // The user has blocked site storage (Firefox).
    return own
  }

  const id = String(env.chance())
  const life = new AbortController()
  let channel: Channel | undefined
  let leader: Leader | undefined
  let isFull = false
  // Cancels the wait for the other tabs to learn of the end.
  let cancelLinger: (() => void) | undefined

  const enter = (): void => {
    channel = new BroadcastChannel(key)
    channel.addEventListener('message', event => hear((event as MessageEvent).data as Question | Told))
    if (!isFull) follower.join()
    election.stand()
    vigil.look()
  }

  const leave = (): void => {
    cancelLinger?.()
    cancelLinger = undefined
    vigil.stop()
    abdicate()
    election.withdraw()
    follower.leave()
    channel?.close()
    channel = undefined
  }

  const abdicate = (): void => {
    leader?.stop()
    leader = undefined
    follower.takeBack()
  }

  const candidate: Candidate = {
    elected() {
      vigil.stop()
      const { lastId: cursor, url } = self
      const office = { env, settings, createConnection: connect, failed: (error: unknown) => host.failed(error) }
      leader = createLeader(office, key, { cursor, url, ...follower.handOver(env.now()) })
    },
    deposed() {
      abdicate()
      if (self.state === 'ended') return
      election.stand()
      vigil.look()
    },
    refused() {
      leave()
      key += id
      election = createElection(ALONE, key, candidate)
      enter()
    },
  }

  const hear = (said: Question | Told): void => {
    if ('ask' in said || !follower.hear(said)) return
    if (!leader) vigil.sign(said.isHidden)
    if (said.state === 'ended') finish(said.reason)
  }

  const finish = (reason: Reason): void => {
    if (self.state === 'ended') return
    vigil.stop()
    follower.leave()
    // Tabs that have not learned of the end must not connect again.
    if (leader && reason !== 'client') {
      cancelLinger ??= env.after(LINGER, () => {
        leave()
        if (self.state === 'connecting') enter()
      })
    } else leave()
    // It requests what it lacks from the server once it has room.
    if (isFull && reason !== 'client') return
    life.abort()
    become('ended', reason)
  }

  const become = (state: State, reason: Reason): void => {
    if (state === self.state && reason === self.reason) return
    self.state = state
    self.reason = reason
    host.changed()
  }

  const wake = (sign: Wake): void => {
    if (sign === 'pagehide') {
      leave()
      become('paused', 'page')
      return
    }
    if (sign === 'visibilitychange') vigil.seen()
    if (channel) {
      leader?.wake(sign)
      if (!leader) vigil.look()
    } else if (self.reason === 'page') {
      if (isFull) become('paused', 'slow')
      else become('connecting', 'page')
      enter()
    }
  }

  const self: Connection = {
    state: own.state,
    reason: own.reason,
    lastId: own.lastId,
    url: '',
    start() {
      env.onWake(wake, life.signal)
      become('connecting', 'start')
      enter()
    },
    listen(name) {
      if (names.has(name)) return
      names.add(name)
      if (settings.Source) ask('names', id)
    },
    end: finish,
    pause() {
      if (isFull || !channel || self.state === 'ended') return
      isFull = true
      follower.leave()
      become('paused', 'slow')
    },
    resume() {
      if (!isFull) return
      isFull = false
      if (self.reason === 'page') return
      become('connecting', 'slow')
      if (!channel) enter()
      else if (!cancelLinger) follower.join()
    },
  }

  const ask = (what: Question['ask'], tab: string): void =>
    channel?.postMessage({ ask: what, tab, cursor: self.lastId, names: [...names] } satisfies Question)
  const follower = createFollower(self, id, {
    host,
    names: settings.Source && names,
    ask,
    stands({ state, reason, url }) {
      self.url = url || self.url
      if (state !== 'ended') become(state, reason)
    },
  })
  let election = createElection(locks, key, candidate)
  const vigil = createVigil(
    env,
    () => ask('alive', id),
    () => election.stand(true),
  )
  return self
}

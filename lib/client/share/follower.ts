import type { Connection, ConnectionHost } from '../connection.ts'
import type { Message } from '../inbox.ts'
import { isUpTo } from '../position.ts'
import { createBacklog, type Backlog } from './backlog.ts'
import type { Packed, Question, Told } from './words.ts'

/** A tab as a reader: follows one leader at a time, and joins the next one by its cursor. */
export interface Follower {
  /** Handles a leader's message, and returns whether that leader is followed. */
  hear(told: Told): boolean
  /** Requests missed messages. All others are ignored until they arrive. */
  join(): void
  /** Stops reading. */
  leave(): void
  /**
   * Hands a new leader in this tab a term higher than all seen, and what was read. The leader owns that from now on.
   */
  handOver(now: number): Inheritance
  /** Keeps its own backlog again. */
  takeBack(): void
}

/** What a leader takes over from its tab. */
export interface Inheritance {
  readonly term: string
  readonly backlog: Backlog
  /** Names of events that the backlog is complete for. */
  readonly names: ReadonlySet<string>
}

/** The tab that a follower belongs to. */
export interface Tab {
  readonly host: ConnectionHost
  /** Names of the events delivered; `undefined` for all. */
  readonly names: ReadonlySet<string> | undefined
  ask(ask: Question['ask'], tab: string): void
  /** The state of the leader's connection. */
  stands(told: Told): void
}

/** @param id unique id of this tab */
export function createFollower(self: Connection, id: string, tab: Tab): Follower {
  const { host, names } = tab
  let term = ''
  let highest = ''
  let questions = 0
  // The join awaiting a response.
  let question: string | undefined
  let isJoined = false
  // Whether ids are from the log, and so increase.
  let isLog = !!self.lastId
  let backlog = createBacklog(self.lastId)
  // The term of the leader in this tab, which keeps the backlog.
  let ownTerm = ''
  const shown = new Set(names)

  const join = (): void => {
    isJoined = false
    question = `${id} ${++questions}`
    tab.ask('join', question)
  }

  // The application may have closed or paused it meanwhile.
  const isReading = (): boolean => isJoined

  // Restarts the backlog after this id.
  const forget = (floor: string): void => {
    if (!ownTerm) backlog.reset(floor)
  }

  const read = ([event, data, own]: Packed): void => {
    const isCursor = event === 'cursor'
    if (own !== undefined) {
      if (!isLog || !isUpTo(own, self.lastId)) self.lastId = own
      else if (!isCursor) return
    }
    isLog ||= isCursor
    const message: Message = { event, data, id: self.lastId, hasId: own !== undefined }
    if (!ownTerm) backlog.add(message)
    if (!names || names.has(event)) host.message(message)
  }

  const begin = (from: string, isNew = false): void => {
    self.lastId = from
    isLog ||= !!from
    forget(isNew ? '' : from)
    host.began()
  }

  const learn = (more: Iterable<string>, isNew = false): void => {
    const before = shown.size
    for (const name of more) shown.add(name)
    // The backlog lacks these events. A tab that joins gets them from its cursor on.
    if (isNew && isJoined) forget('')
    else if (shown.size > before) forget(self.lastId)
  }

  // Switches to another leader.
  const follow = (next: string): void => {
    term = next
    if (isJoined || question) join()
  }

  return {
    hear(told) {
      // Fencing: a leader that does not know yet that it was replaced, or a late message of a dead one.
      if (ownTerm ? told.term !== ownTerm : told.term < term) return false
      if (told.isOver) {
        if (told.term === term) follow('')
        return false
      }
      if (told.term > highest) highest = told.term
      const isAnswer = told.to !== undefined && told.to === question
      if (isAnswer) {
        term = told.term
        question = undefined
      } else if (told.term !== term) follow(told.term)
      if (told.names) learn(told.names, told.isNew)
      isJoined ||= isAnswer
      if (!isJoined || (told.to !== undefined && !isAnswer)) return true
      tab.stands(told)
      if (told.from !== undefined && isReading() && (isAnswer || !self.lastId)) begin(told.from, told.isNew)
      for (const event of told.events ?? []) if (isReading()) read(event)
      return true
    },
    join,
    leave() {
      isJoined = false
      question = undefined
      term = ''
    },
    handOver(now) {
      learn(names ?? [])
      const number = Math.max((parseInt(highest, 10) || 0) + 1, now)
      ownTerm = highest = `${String(number).padStart(16, '0')} ${id}`
      return { term: ownTerm, backlog, names: shown }
    },
    takeBack() {
      if (!ownTerm) return
      // Messages of the leader before were dropped meanwhile: to follow it again would skip them.
      term = ownTerm
      // The leader's ids are ahead of this tab's.
      backlog = createBacklog(self.lastId)
      ownTerm = ''
    },
  }
}

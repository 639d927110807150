import type { Connection, ConnectionHost } from '../connection.ts'
import type { Message } from '../inbox.ts'
import { isUpTo } from '../position.ts'
import { createBacklog, type Backlog } from './backlog.ts'
import type { Packed, Question, Told } from './words.ts'

/** A tab as a reader of what leaders tell: it follows one of them at a time, and joins the next one by its cursor. */
export interface Follower {
  /** Hears a leader, and answers whether it is one to be followed. */
  hear(told: Told): boolean
  /** Asks for what has been missed. Until that comes, all else is passed over. */
  join(): void
  /** Reads nothing on. */
  leave(): void
  /** For a leader in this tab: a term above all that were heard of, and what was read. It is the leader's from now on. */
  handOver(now: number): Inheritance
  /** Keeps what is read again. */
  takeBack(): void
}

/** What a leader takes over from its tab. */
export interface Inheritance {
  readonly term: string
  readonly backlog: Backlog
  /** Names of events that the backlog is complete for. */
  readonly names: ReadonlySet<string>
}

/** What a follower is part of. */
export interface Tab {
  readonly host: ConnectionHost
  /** Names of the events that are shown; `undefined` where all are. */
  readonly names: ReadonlySet<string> | undefined
  ask(ask: Question['ask'], tab: string): void
  /** The leader's connection stands so. */
  stands(told: Told): void
}

/** @param id of this tab, as no other has one */
export function createFollower(self: Connection, id: string, tab: Tab): Follower {
  const { host, names } = tab
  let term = ''
  let highest = ''
  let questions = 0
  // The join that has not been answered yet.
  let question: string | undefined
  let isJoined = false
  // Whether ids are of the log: they rise.
  let isLog = !!self.lastId
  let backlog = createBacklog(self.lastId)
  // The term of the leader in this tab, which keeps what is read.
  let ownTerm = ''
  const shown = new Set(names)

  const join = (): void => {
    isJoined = false
    question = `${id} ${++questions}`
    tab.ask('join', question)
  }

  // The application may have closed or paused it meanwhile.
  const isReading = (): boolean => isJoined

  // Keeps nothing of what was read so far, and what comes behind this id.
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
    // What was kept lacks these. A tab that joins is sent them from its place on.
    if (isNew && isJoined) forget('')
    else if (shown.size > before) forget(self.lastId)
  }

  // Goes over to another leader.
  const follow = (next: string): void => {
    term = next
    if (isJoined || question) join()
  }

  return {
    hear(told) {
      // One that does not know yet that it has been replaced, or that is dead and was heard late.
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
      // The leader's are ahead of what was read here.
      if (ownTerm) backlog = createBacklog(self.lastId)
      ownTerm = ''
    },
  }
}

import type { GapReason } from '../wire/frame.ts'
import type { EventLog, StoredEvent } from './event-log.ts'
import type { KeyValueStore } from './key-value-store.ts'
import type { LeaseStore } from './lease-store.ts'
import type { Roster } from './roster.ts'

/**
 * The contract between the hub and an engine. An engine keeps the log, and offers what instances share beside it: messages
 * to all of them, small values, places and who is there.
 *
 * The hub is the one caller. It calls `listen` once, before anything else, and `close` once, after everything else.
 */
export interface Broker extends EventLog {
  /** Whether the engine can do its work just now: the log can be read, listened to and written to. */
  readonly ready: boolean

  /** Names the one listener of this instance. Its methods are called without re-entrance, in the order of the log. */
  listen(listener: BrokerListener): void

  /**
   * Hands a message to all instances, this one included, whatever their topics. It reaches each of them at least once, or
   * that one is told that it may have missed some; an answer or a survey may be lost without a word. All hear them in the
   * same order, but for these.
   *
   * @throws {EventStreamError} `ERR_BROKER`, as a rejection: nobody may have got it
   */
  announce(message: ControlMessage): Promise<void>

  /** Small values that all instances share. */
  readonly store: KeyValueStore

  /** Places that all instances share. */
  readonly leases: LeaseStore

  /** Which instances there are. */
  readonly roster: Roster

  /** Lets go of everything. Nothing reaches the listener any more. */
  close(): Promise<void>
}

/** What an instance hears from its engine. */
export interface BrokerListener {
  /** An event that was published to these topics, of those that this instance is subscribed to. */
  event(topics: readonly string[], event: StoredEvent): void
  /** Events of these topics were lost to this instance and are in no history. */
  gap(topics: readonly string[], reason: GapReason): void
  /** A message that some instance announced. The same one may come again. */
  control(message: ControlMessage): void
  /**
   * Messages may have been announced that will never come: before this instance could hear any, or while it was cut off.
   * Whoever has no logins to ask again need not listen to it.
   */
  controlMissed?(): void
  /** The engine can do its work now, or has lost its way to do it. `error` says why. */
  readiness(ready: boolean, error?: unknown): void
  /** Something failed that no caller hears of. `during` names the part. */
  fault(during: string, error: unknown): void
}

/** What instances tell each other. */
export type ControlMessage =
  DisconnectMessage | SupersedeMessage | SubscriptionsMessage | AnswerMessage | SurveyMessage | SurveyAnswerMessage

/** Streams of these are to end. All that is given must fit. */
export interface DisconnectMessage {
  readonly type: 'disconnect'
  readonly identity?: string
  readonly session?: string
  readonly token?: string
  readonly reason: 'server' | 'done' | 'logout' | 'revoked'
}

/** These streams of an identity have lost their places to newer ones. */
export interface SupersedeMessage {
  readonly type: 'supersede'
  readonly identity: string
  /** The ids of the streams. */
  readonly streams: readonly string[]
}

/** Streams of these get topics, and lose others. All of who they are that is given must fit. */
export interface SubscriptionsMessage {
  readonly type: 'subscriptions'
  /** What the answers name: no two messages have the same. */
  readonly question: string
  readonly stream?: string
  readonly identity?: string
  readonly session?: string
  readonly subscribe: readonly string[]
  readonly unsubscribe: readonly string[]
  /** The last such message that took topics away which was known when this was decided; empty where there was none. */
  readonly decided: string
  /** How many milliseconds ago that was. */
  readonly age: number
  /** The id up to which the client has seen the topics that it gets; empty where it had none of them. */
  readonly seen: string
}

/** What an instance has done. */
export interface AnswerMessage {
  readonly type: 'answer'
  readonly question: string
  readonly instance: string
  /** How many of its streams stand as was asked for. */
  readonly streams: number
  /** How many should, and do not. */
  readonly refused: number
}

/** A question to all instances that changes no right: who asks counts the answers. */
export interface SurveyMessage {
  readonly type: 'survey'
  /** What the answers name: no two surveys have the same. */
  readonly question: string
  /** Which part of an instance is asked. */
  readonly about: string
  /** What it is asked: anything that JSON holds. */
  readonly body: unknown
}

/** What an instance answers to a survey. */
export interface SurveyAnswerMessage {
  readonly type: 'survey-answer'
  readonly question: string
  readonly instance: string
  /** Anything that JSON holds; `null` where it has nothing to say. */
  readonly body: unknown
}

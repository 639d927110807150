import type { GapReason } from '../wire/frame.ts'
import type { EventLog, StoredEvent } from './event-log.ts'
import type { KeyValueStore } from './key-value-store.ts'
import type { LeaseStore } from './lease-store.ts'
import type { Roster } from './roster.ts'

/**
 * The contract between the hub and an engine. An engine stores the log, and what instances share besides: control
 * messages, a key-value store, leases and the roster.
 *
 * The hub is the only caller. It calls `listen` once, first, and `close` once, last.
 */
export interface Broker extends EventLog {
  /** Whether the log can be read, listened to and written to now. */
  readonly ready: boolean

  /** Sets the listener of this instance. Its methods are called without re-entrance, in the order of the log. */
  listen(listener: BrokerListener): void

  /**
   * Sends a message to all instances, including this one, whatever their topics. At-least-once delivery: each instance
   * gets it, or is told that it may have missed some; only answers and surveys may be lost silently. All instances get them in the
   * same order, except for these.
   *
   * @throws {EventStreamError} `ERR_BROKER`, as a rejection: possibly no instance got it
   */
  announce(message: ControlMessage): Promise<void>

  /** Small values shared by all instances. */
  readonly store: KeyValueStore

  /** Leases shared by all instances. */
  readonly leases: LeaseStore

  /** Membership of instances, and presence. */
  readonly roster: Roster

  /** Releases all resources. The listener is not called any more. */
  close(): Promise<void>
}

/** Callbacks from the engine to its instance. */
export interface BrokerListener {
  /** An event was published; `topics` are those that this instance is subscribed to. */
  event(topics: readonly string[], event: StoredEvent): void
  /** Events of these topics were lost for this instance and are not in history. */
  gap(topics: readonly string[], reason: GapReason): void
  /** A control message from an instance. May be delivered more than once. */
  control(message: ControlMessage): void
  /**
   * Control messages may have been missed: before this instance was connected, or while it was disconnected. Optional,
   * for a hub without logins to revalidate.
   */
  controlMissed?(): void
  /** The engine is ready, or no longer is. `error` is the reason. */
  readiness(ready: boolean, error?: unknown): void
  /** An error that reaches no caller. `during` names the operation. */
  fault(during: string, error: unknown): void
}

/** Control messages between instances. */
export type ControlMessage =
  DisconnectMessage | SupersedeMessage | SubscriptionsMessage | AnswerMessage | SurveyMessage | SurveyAnswerMessage

/** Ends matching streams. All given fields must match. */
export interface DisconnectMessage {
  readonly type: 'disconnect'
  readonly identity?: string
  readonly session?: string
  readonly token?: string
  readonly reason: 'server' | 'done' | 'logout' | 'revoked'
}

/** These streams of an identity have lost their leases to newer ones. */
export interface SupersedeMessage {
  readonly type: 'supersede'
  readonly identity: string
  /** The ids of the streams. */
  readonly streams: readonly string[]
}

/**
 * Adds topics to matching streams, or removes them. Of `stream`, `identity` and `session`, all that are given must
 * match.
 */
export interface SubscriptionsMessage {
  readonly type: 'subscriptions'
  /** Referenced by the answers; unique. */
  readonly question: string
  readonly stream?: string
  readonly identity?: string
  readonly session?: string
  readonly subscribe: readonly string[]
  readonly unsubscribe: readonly string[]
  /** The last message that removed topics known when this was decided; empty if there was none. */
  readonly decided: string
  /** How many milliseconds ago this was decided. */
  readonly age: number
  /** The client's cursor for the added topics; empty if it had none of them. */
  readonly seen: string
}

/** The result on one instance. */
export interface AnswerMessage {
  readonly type: 'answer'
  readonly question: string
  readonly instance: string
  /** The number of its streams in the requested state. */
  readonly streams: number
  /** The number of its streams that should be, but are not. */
  readonly refused: number
}

/** A read-only question to all instances; the asking instance counts the answers. */
export interface SurveyMessage {
  readonly type: 'survey'
  /** Referenced by the answers; unique. */
  readonly question: string
  /** The component that answers. */
  readonly about: string
  /** The question: any JSON value. */
  readonly body: unknown
}

/** An instance's answer to a survey. */
export interface SurveyAnswerMessage {
  readonly type: 'survey-answer'
  readonly question: string
  readonly instance: string
  /** Any JSON value; `null` without an answer. */
  readonly body: unknown
}

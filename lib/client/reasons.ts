import type { CloseReason } from '../stream/close-reason.ts'

/**
 * The state of a stream.
 *
 * - `connecting`: an attempt is in progress
 * - `open`: events are delivered live
 * - `waiting`: for the next attempt
 * - `paused`: by the client; it resumes by itself
 * - `ended`: permanently
 */
export type State = 'connecting' | 'open' | 'waiting' | 'paused' | 'ended'

/**
 * The reason for a state; while connecting after a wait, the reason for the wait. A closed vocabulary, except for
 * statuses.
 */
export type Reason =
  /** connecting: for the first time */
  | 'start'
  /** open: as a stream */
  | 'stream'
  /** open: as a long poll, since the network buffers responses until they end */
  | 'poll'
  /** connecting: the stream's first byte did not arrive in time, so long polling is tried */
  | 'held-back'
  /**
   * connecting, waiting: nothing has arrived for longer than the server's heartbeat allows, or there was no response
   */
  | 'silent'
  /** connecting: the device is online, or has changed networks */
  | 'online'
  /** connecting, paused: the page has entered the back/forward cache, or has returned */
  | 'page'
  /** paused: events are consumed too slowly */
  | 'slow'
  /** paused: `load` has failed. It is retried; events are queued meanwhile */
  | 'load'
  /** waiting: the connection failed or broke */
  | 'network'
  /** waiting: the response ended without a reason */
  | 'closed'
  /** waiting: the response was not an event stream, such as a login page */
  | 'not-a-stream'
  /** waiting: the URL function failed, or returned an invalid URL. ended: it returned `null` */
  | 'url'
  /** ended: the credentials were refused, and so were new ones */
  | 'unauthenticated'
  /** ended: a request that must not be repeated was interrupted */
  | 'interrupted'
  /** ended: `close()` was called */
  | 'client'
  /** waiting, ended: the status of the response. Ended if a retry is useless, such as 403 */
  | `status ${number}`
  /** connecting, waiting, ended: the server's reason for ending the stream. `done`, `logout` and `revoked` are final */
  | CloseReason
  | 'overload'

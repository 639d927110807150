import type { CloseReason } from '../stream/close-reason.ts'

/**
 * Where a stream stands.
 *
 * - `connecting`: an attempt is being made
 * - `open`: events come as they happen
 * - `waiting`: for the next attempt
 * - `paused`: by us; it goes on by itself
 * - `ended`: for good
 */
export type State = 'connecting' | 'open' | 'waiting' | 'paused' | 'ended'

/** Why a stream is in its state; of an attempt after a wait, why that was. The vocabulary is closed, but for statuses. */
export type Reason =
  /** connecting: for the first time */
  | 'start'
  /** open: as a stream */
  | 'stream'
  /** open: as a long poll, since the network holds the bytes of a stream back until its end */
  | 'poll'
  /** connecting: no byte has come of a stream that should have begun. The same is tried as a long poll */
  | 'held-back'
  /** connecting, waiting: nothing has come for longer than the server's heartbeat allows, or no answer at all */
  | 'silent'
  /** connecting: the device has got a network, or another one */
  | 'online'
  /** connecting, paused: the page has left for the back/forward cache, or has come back */
  | 'page'
  /** paused: events are not taken as fast as they come */
  | 'slow'
  /** paused: `load` has failed. It is called again; events wait meanwhile */
  | 'load'
  /** waiting: the connection could not be made, or broke */
  | 'network'
  /** waiting: the response ended and did not say why */
  | 'closed'
  /** waiting: the answer was no event stream, such as a login page */
  | 'not-a-stream'
  /** waiting: the URL function failed, or answered no URL. ended: it answered `null` */
  | 'url'
  /** ended: the credentials were refused, new ones too */
  | 'unauthenticated'
  /** ended: a request that must not be repeated broke off in the middle */
  | 'interrupted'
  /** ended: `close()` was called */
  | 'client'
  /** waiting, ended: the status of the answer. Ended for one that a repetition does not change, such as 403 */
  | `status ${number}`
  /** connecting, waiting, ended: what the server said when it ended the stream. `done`, `logout` and `revoked` are final */
  | CloseReason
  | 'overload'

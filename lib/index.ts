export { createHub, type HubOptions } from './create-hub.ts'
export { EventStreamError, type ErrorCode } from './errors.ts'
export { AuthenticationError, type AuthenticationFailure } from './auth/authentication-error.ts'
export type { Authenticator, Revalidation } from './auth/authenticator.ts'
export type { BearerTokenOptions } from './auth/bearer-options.ts'
export { bearerToken } from './auth/bearer-token.ts'
export type { Principal } from './auth/principal.ts'
export type { KeyRecord } from './auth/key-options.ts'
export type { TokenHeader } from './auth/key-source.ts'
export type { SessionData } from './auth/koa-session.ts'
export type { QueryAuthenticator } from './auth/query-parameter.ts'
export { queryToken, type QueryTokenOptions } from './auth/query-token.ts'
export { createIdentity, type Identity } from './auth/identity.ts'
export { sessionCookie, type SessionCookieOptions } from './auth/session-cookie.ts'
export { stateUser, type StateUserOptions, type UserData, type VerifiedUser } from './auth/state-user.ts'
export type { TokenClaims } from './auth/token-claims.ts'
export type { Algorithm, VerificationKey } from './auth/verification-key.ts'
export type {
  Broker,
  BrokerListener,
  ControlMessage,
  KeyValueStore,
  Lease,
  LeaseStore,
  Slice,
  StoredEvent,
} from './broker/broker.ts'
export { memoryBroker, type MemoryBrokerOptions } from './broker/memory.ts'
export type { Clock } from './clock.ts'
export type { ConflatedEvent, ConflationKey } from './hub/feed/conflation-keys.ts'
export type { StreamFilter } from './hub/stream-index.ts'
export type { Hub } from './hub/hub.ts'
export type { HubEvents, HubStats, RefusalReason, StreamInfo } from './hub/lifecycle.ts'
export type { ClosableServer } from './hub/shutdown.ts'
export type { Snapshot, Subscription, TopicRequest } from './hub/subscription.ts'
export { urlTicket, type UrlTicketOptions, type UrlTickets } from './koa/ticket-route.ts'
export { eventStream, type EventStreamMiddleware } from './koa/middleware.ts'
export type { AuthenticatedOptions, EventStreamOptions, PublicOptions, SubscriptionResolver } from './koa/options.ts'
export type { Overload, OverloadOption } from './koa/overload.ts'
export type { RateLimiter } from './koa/rate-limit.ts'
export type { CloseReason, RequestedCloseReason } from './stream/close-reason.ts'
export { EventStream } from './stream/event-stream.ts'
export { watchSessions, type SessionStore, type WatchSessionsOptions } from './watch-sessions.ts'
export type { Position } from './wire/cursor.ts'
export type { EventInput, EventMap, Redact } from './wire/event.ts'
export type { Gap, GapReason } from './wire/frame.ts'

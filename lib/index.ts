/**
 * The middleware, the hub, the authenticators, and the routes around them.
 *
 * @module koa-event-stream
 */
export { createHub, type HubOptions } from './create-hub.ts'
export { EventStreamError, type ErrorCode } from './errors.ts'
export { AuthenticationError, type AuthenticationFailure } from './auth/authentication-error.ts'
export type { Authenticator, Revalidation } from './auth/authenticator.ts'
export type { IssuerOptions } from './auth/jwt/issuers.ts'
export type { BearerTokenOptions } from './auth/jwt/options.ts'
export { bearerToken } from './auth/jwt/bearer-token.ts'
export type { Principal } from './auth/principal.ts'
export type { JsonWebKeySet, KeyRecord } from './auth/keys/options.ts'
export type { TokenHeader } from './auth/keys/source.ts'
export type { SessionData } from './auth/session/koa-session.ts'
export type { QueryAuthenticator } from './koa/query-parameter.ts'
export { queryToken, type QueryTokenOptions } from './koa/query-token.ts'
export { createIdentity, type Identity } from './auth/identity.ts'
export { sessionCookie, type SessionCookieOptions } from './auth/session/session-cookie.ts'
export { stateUser, type StateUserOptions, type UserData, type VerifiedUser } from './auth/state-user.ts'
export type { TokenClaims } from './auth/jwt/claims.ts'
export type { Algorithm, JsonWebKey, VerificationKey } from './auth/keys/verification-key.ts'
export type {
  AnswerMessage,
  Broker,
  BrokerListener,
  ControlMessage,
  DisconnectMessage,
  SubscriptionsMessage,
  SupersedeMessage,
} from './broker/broker.ts'
export type { EventLog, Slice, StoredEvent } from './broker/event-log.ts'
export type { KeyValueStore } from './broker/key-value-store.ts'
export type { Lease, LeaseStore, Supersession } from './broker/lease-store.ts'
export type { Chores, Present, Roster, RosterChange, RosterEntry } from './broker/roster.ts'
export type { HistoryOptions } from './broker/history-policy.ts'
export { memoryBroker, type MemoryBrokerOptions } from './broker/memory/memory-broker.ts'
export type { Clock } from './clock.ts'
export type { ChannelMessages } from './diagnostics.ts'
export type { ConflatedEvent, ConflationKey } from './hub/feed/conflation-keys.ts'
export type { StreamFilter } from './hub/stream-index.ts'
export type { AudienceOptions } from './hub/presence/audience.ts'
export type { Presence, PresenceMember } from './hub/presence/state.ts'
export { presenceOf } from './topic.ts'
export type { Hub } from './hub/hub.ts'
export type { HubEvents, HubStats, RefusalReason, StreamInfo } from './hub/lifecycle.ts'
export type { ClosableServer } from './hub/shutdown.ts'
export type { SubscriptionFilter, SubscriptionOptions, SubscriptionOutcome } from './hub/subscription-change.ts'
export type { Snapshot, Subscription, TopicRequest } from './hub/subscription.ts'
export type { UrlTicketOptions } from './koa/ticket-options.ts'
export { urlTicket, type UrlTickets } from './koa/ticket-route.ts'
export { networkOf } from './koa/address.ts'
export { eventStream, type EventStreamMiddleware } from './koa/middleware.ts'
export type {
  AuthenticatedOptions,
  EventStreamOptions,
  IdentityLimitOption,
  PublicOptions,
  SubscriptionResolver,
} from './koa/options.ts'
export type { Overload, OverloadOption } from './koa/overload.ts'
export { publishRoute, type PublishRouteOptions } from './koa/publish-route.ts'
export type { RateLimiter } from './koa/rate-limit.ts'
export {
  requireIdentity,
  type IdentityMiddleware,
  type IdentityRefusal,
  type RequireIdentityOptions,
} from './koa/require-identity.ts'
export { subscriptionRoute, type SubscriptionRouteOptions, type SubscriptionWish } from './koa/subscription-route.ts'
export type { CloseReason, RequestedCloseReason } from './stream/close-reason.ts'
export { EventStream } from './stream/event-stream.ts'
export { watchSessions, type SessionStore, type WatchSessionsOptions } from './watch-sessions.ts'
export type { Position } from './wire/cursor.ts'
export type { EventInput, EventMap, Redact } from './wire/event.ts'
export type { Gap, GapReason } from './wire/frame.ts'
export type { EventHeaders, PublishNotes, PublishOptions } from './wire/publish-options.ts'

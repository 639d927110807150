import type { Authenticator } from '../auth/authenticator.ts'
import { DEFAULT_REALM, quotable } from '../auth/challenge.ts'
import type { Hub } from '../hub/hub.ts'
import { duration, integer, knownKeys, text } from '../options.ts'
import type { EventMap } from '../wire/event.ts'
import { checkDoor, checkLogins, DEFAULT_TIMEOUT, type DoorConfig } from './door-config.ts'
import { checkParam } from './query-parameter.ts'
import type { RateLimiter } from './rate-limit.ts'

/** How long a ticket may wait to be used: 30 seconds, in milliseconds. */
export const DEFAULT_TICKET_TTL = 30_000
/** The longest that a ticket may wait to be used: a minute, in milliseconds. */
export const MAX_TICKET_TTL = 60_000
/** How long a stream that was opened with a ticket lives at most: 15 minutes, in milliseconds. */
export const DEFAULT_TICKET_MAX_AGE = 900_000
/** The parameter that carries a ticket. */
export const DEFAULT_TICKET_PARAM = 'ticket'
/** Tickets of one identity that may be waiting to be used, unless told otherwise. */
export const DEFAULT_TICKET_LIMIT = 20

export interface UrlTicketOptions<Events extends object = EventMap> {
  /** The hub of the streams. Its broker's store keeps the tickets, for all instances. */
  hub: Hub<Events>
  /** Who may have a ticket: asked on `issue`, as `eventStream()` asks. */
  authenticate: Authenticator | readonly Authenticator[]
  /** Names the streams that a ticket is for. It is good for no other audience of the hub. */
  audience: string
  /** How long a ticket may wait to be used, in milliseconds, from 1,000 to 60,000. Default: 30 s. */
  ttl?: number
  /**
   * How long a stream lives that was opened with a ticket, in milliseconds; spread over 0.9 to 1 of it. The login cannot
   * be looked up again from a ticket, so the client has to come for another one. Default: 15 min.
   */
  maxAge?: number
  /** Other origins whose pages may ask for a ticket with the user's cookie, as those of `eventStream()`. Default: none. */
  origins?: readonly string[]
  /** Refuses to issue over plain HTTP, with 403 and before anybody is asked who is calling. Default: as the streams. */
  requireSecure?: boolean
  limits?: {
    /** Tickets of one identity that are waiting to be used, on all instances. Default 20. */
    tickets?: number
    /** How often tickets may be asked for, as `limits.rate` of `eventStream()`. Beyond it, 429. Default: none. */
    rate?: { identity?: RateLimiter; address?: RateLimiter }
  }
  /** How long authentication, and then issuing, may take, in milliseconds. Default: 10 s. */
  timeout?: number
  /** The parameter that carries the ticket. Default: `ticket`. */
  param?: string
  /** The realm named in challenges. Default: `events`. */
  realm?: string
}

/** The checked options of `urlTicket()`. Durations are milliseconds. */
export interface TicketConfig extends DoorConfig {
  readonly audience: string
  readonly ttl: number
  readonly maxAge: number
  /** Tickets of one identity that may be waiting. */
  readonly most: number
  readonly param: string
  readonly realm: string
}

const KEYS = [
  'hub',
  'authenticate',
  'audience',
  'ttl',
  'maxAge',
  'origins',
  'requireSecure',
  'limits',
  'timeout',
  'param',
  'realm',
] as const satisfies readonly (keyof UrlTicketOptions)[]

/** @throws {TypeError} that names the wrong option */
export function checkTicketOptions<Events extends object>(options: UrlTicketOptions<Events>): TicketConfig {
  knownKeys('urlTicket', options, KEYS)
  const { limits = {} } = options
  knownKeys('limits', limits, ['tickets', 'rate'])
  const door = checkDoor(options, {
    authenticators: checkLogins(options.authenticate),
    timeout: duration('timeout', options.timeout, { default: DEFAULT_TIMEOUT }),
    route: 'stream',
  })
  return Object.freeze({
    ...door,
    audience: text('audience', options.audience),
    ttl: duration('ttl', options.ttl, { min: 1_000, max: MAX_TICKET_TTL, default: DEFAULT_TICKET_TTL }),
    maxAge: duration('maxAge', options.maxAge, { min: 1_000, default: DEFAULT_TICKET_MAX_AGE }),
    most: integer('limits.tickets', limits.tickets, { min: 1, default: DEFAULT_TICKET_LIMIT }),
    param: checkParam(options.param, DEFAULT_TICKET_PARAM),
    realm: quotable('realm', text('realm', options.realm, DEFAULT_REALM)),
  })
}

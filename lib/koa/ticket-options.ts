import type { Authenticator } from '../auth/authenticator.ts'
import { DEFAULT_REALM, quotable } from '../auth/challenge.ts'
import type { Hub } from '../hub/hub.ts'
import { duration, integer, knownKeys, text } from '../options.ts'
import type { EventMap } from '../wire/event.ts'
import { checkDoor, checkLogins, DEFAULT_TIMEOUT, type DoorConfig } from './door-config.ts'
import { checkParam } from './query-parameter.ts'
import type { RateLimiter } from './rate-limit.ts'

/** The default lifetime of an unused ticket: 30 seconds, in milliseconds. */
export const DEFAULT_TICKET_TTL = 30_000
/** The longest lifetime of an unused ticket: a minute, in milliseconds. */
export const MAX_TICKET_TTL = 60_000
/** The default `maxAge` of a stream opened with a ticket: 15 minutes, in milliseconds. */
export const DEFAULT_TICKET_MAX_AGE = 900_000
/** The default parameter for a ticket. */
export const DEFAULT_TICKET_PARAM = 'ticket'
/** The default limit of unused tickets of one identity. */
export const DEFAULT_TICKET_LIMIT = 20

export interface UrlTicketOptions<Events extends object = EventMap> {
  /** The hub of the streams. Its broker's store keeps the tickets, for all instances. */
  hub: Hub<Events>
  /** Authenticates requests to `issue`, as by `eventStream()`. */
  authenticate: Authenticator | readonly Authenticator[]
  /** Identifies the streams that a ticket is for. It is not valid for other audiences of the hub. */
  audience: string
  /** How long an unused ticket is valid, in milliseconds, from 1,000 to 60,000. Default: 30 s. */
  ttl?: number
  /**
   * How long a stream opened with a ticket may stay open, in milliseconds; with a jitter of 0.9 to 1. The login cannot
   * be revalidated from a ticket, so the client must fetch a new one then. Default: 15 min.
   */
  maxAge?: number
  /** Other origins whose pages may request a ticket with the user's cookie, as for `eventStream()`. Default: none. */
  origins?: readonly string[]
  /** Refuses to issue over plain HTTP, with 403 and before authentication. Default: as the streams. */
  requireSecure?: boolean
  limits?: {
    /** Unused tickets of one identity, on all instances. Default 20. */
    tickets?: number
    /**
     * Rate limiters for requests to `issue`, like `limits.rate` of `eventStream()`. Beyond the rate, 429. Default:
     * none.
     */
    rate?: { identity?: RateLimiter; address?: RateLimiter }
  }
  /** The timeout of authentication, and then of issuing, in milliseconds. Default: 10 s. */
  timeout?: number
  /** The query parameter for the ticket. Default: `ticket`. */
  param?: string
  /** The realm named in challenges. Default: `events`. */
  realm?: string
}

/** The checked options of `urlTicket()`. Durations are milliseconds. */
export interface TicketConfig extends DoorConfig {
  readonly audience: string
  readonly ttl: number
  readonly maxAge: number
  /** The most unused tickets of one identity. */
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

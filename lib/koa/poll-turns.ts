import type { Context } from 'koa'
import { POLL_PAUSE } from '../hub/poll.ts'
import type { Subscriber } from '../hub/subscriber.ts'
import { clientWordsOf } from './client-words.ts'
import { lastEventIdOf } from './last-event-id.ts'
import type { RateLimiters } from './rate-limit.ts'
import type { RouteConfig } from './route-config.ts'

// Functions that remove an expected poll, the oldest first.
type Turns = Set<() => void>

const turns = new WeakMap<RouteConfig, Map<string, Turns>>()

/**
 * Expects the next long poll of a client whose last one ended normally, so that it does not count against the rate
 * limits. It must have the id of the last event by then, with which it waits for new events: with an older one it would
 * be answered at once, over and over.
 */
export function expectNextPoll(config: RouteConfig, subscriber: Subscriber): void {
  const { stream, address } = subscriber
  stream.once('close', () => {
    const { isPollOver, lastId } = subscriber
    if (!isPollOver || lastId === undefined) return
    expect(config, nameOf('address', address, lastId))
    if (stream.identity !== undefined) expect(config, nameOf('identity', stream.identity.id, lastId))
  })
}

/** Whether a request is an expected poll. Each expected poll is used once. */
export function isNextPoll(ctx: Context, config: RouteConfig, kind: keyof RateLimiters, name: string): boolean {
  const lastEventId = lastEventIdOf(ctx)
  if (!clientWordsOf(ctx).isPoll || lastEventId === undefined) return false
  return take(config, nameOf(kind, name, lastEventId))
}

function expect(config: RouteConfig, name: string): void {
  const expected = turns.get(config) ?? new Map<string, Turns>()
  turns.set(config, expected)
  const those: Turns = expected.get(name) ?? new Set()
  expected.set(name, those)
  const forget = (): void => {
    stop()
    those.delete(forget)
    if (those.size === 0) expected.delete(name)
  }
  const stop = config.hub.clock.after(POLL_PAUSE, forget)
  those.add(forget)
}

// Clients may share a name, and an id while the log is quiet: each uses one of the expected polls.
function take(config: RouteConfig, name: string): boolean {
  const [forget] = turns.get(config)?.get(name) ?? []
  forget?.()
  return forget !== undefined
}

function nameOf(kind: keyof RateLimiters, name: string, lastId: string): string {
  return `${kind}:${lastId}:${name}`
}

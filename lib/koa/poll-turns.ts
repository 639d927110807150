import type { Context } from 'koa'
import type { Subscriber } from '../hub/subscriber.ts'
import { clientWordsOf } from './client-words.ts'
import { lastEventIdOf } from './last-event-id.ts'
import type { RateLimiters } from './rate-limit.ts'
import type { RouteConfig } from './route-config.ts'

// How soon the next long poll has to come to be the same attempt, in milliseconds.
const PAUSE = 10_000

const turns = new WeakMap<RouteConfig, Map<string, number>>()

/**
 * Lets the client of a long poll that has ended as it should come for the next one, which is no new attempt: with the id that
 * it has by now. There it waits for the next events, while with an older one it would get its answer at once, and again.
 */
export function expectNextPoll(config: RouteConfig, subscriber: Subscriber): void {
  const { stream, address } = subscriber
  stream.once('close', () => {
    const { lastId } = subscriber
    if (stream.closeReason !== 'done' || lastId === undefined) return
    expect(config, nameOf('address', address, lastId))
    if (stream.identity !== undefined) expect(config, nameOf('identity', stream.identity.id, lastId))
  })
}

/** Whether a request is the next of a row of long polls. Each is taken for that once. */
export function isNextPoll(ctx: Context, config: RouteConfig, kind: keyof RateLimiters, name: string): boolean {
  const lastEventId = lastEventIdOf(ctx)
  if (!clientWordsOf(ctx).isPoll || lastEventId === undefined) return false
  return leave(config, nameOf(kind, name, lastEventId))
}

function expect(config: RouteConfig, name: string): void {
  const expected = turns.get(config) ?? new Map<string, number>()
  turns.set(config, expected.set(name, (expected.get(name) ?? 0) + 1))
  config.hub.clock.after(PAUSE, () => leave(config, name))
}

function leave(config: RouteConfig, name: string): boolean {
  const expected = turns.get(config)
  const count = expected?.get(name) ?? 0
  if (count > 1) expected?.set(name, count - 1)
  else expected?.delete(name)
  return count > 0
}

function nameOf(kind: keyof RateLimiters, name: string, lastId: string): string {
  return `${kind}:${lastId}:${name}`
}

import { subscribe } from 'node:diagnostics_channel'
import { Http2ServerRequest } from 'node:http2'
import type { Context } from 'koa'
import { presentMoment, type Moment } from '../hub/endings.ts'

// By the request of HTTP/1.1, or the stream of HTTP/2.
const arrivals = new WeakMap<object, Moment>()
let isWatching = false

/**
 * Notes from now on when requests arrive, which is long before a stream's middleware is reached where others wait in front
 * of it for a session, a user or a body. Node tells it of HTTP/1.1, and from version 24 on of HTTP/2.
 */
export function watchArrivals(): void {
  if (isWatching) return
  isWatching = true
  subscribe('http.server.request.start', message => {
    note(message, 'request')
  })
  subscribe('http2.server.stream.start', message => {
    note(message, 'stream')
  })
}

/** Notes that a request has arrived, where Node has not told of it before. */
export function noteArrival(request: object): void {
  const key = keyOf(request)
  if (!arrivals.has(key)) arrivals.set(key, presentMoment())
}

/** When a request arrived, as far as that is known: now at the latest. */
export function arrivalOf({ req }: Context): Moment {
  noteArrival(req)
  return arrivals.get(keyOf(req)) ?? presentMoment()
}

function note(message: unknown, name: 'request' | 'stream'): void {
  if (typeof message !== 'object' || message === null) return
  const key: unknown = Reflect.get(message, name)
  if (typeof key === 'object' && key !== null) arrivals.set(key, presentMoment())
}

function keyOf(request: object): object {
  return request instanceof Http2ServerRequest ? request.stream : request
}

import { subscribe } from 'node:diagnostics_channel'
import { Http2ServerRequest } from 'node:http2'
import type { Context } from 'koa'
import { presentMoment, type Moment } from '../hub/endings.ts'

// Keyed by the request over HTTP/1.1, by the stream over HTTP/2.
const arrivals = new WeakMap<object, Moment>()
let isWatching = false

/**
 * Starts recording when requests arrive, which can be long before this middleware runs, if others wait for a session, a
 * user or a body first. Node reports arrivals over HTTP/1.1, and from version 24 on over HTTP/2.
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

/** Records a request's arrival, unless Node has reported it. */
export function noteArrival(request: object): void {
  const key = keyOf(request)
  if (!arrivals.has(key)) arrivals.set(key, presentMoment())
}

/** When a request arrived, as far as known: now at the latest. */
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

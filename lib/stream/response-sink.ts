import { ServerResponse } from 'node:http'
import { Http2ServerResponse } from 'node:http2'
import type { Clock } from '../clock.ts'
import { Http1Sink } from './http1-sink.ts'
import { Http2Sink } from './http2-sink.ts'
import type { Sink } from './sink.ts'

/**
 * Returns a sink if the destination is the response itself, with nothing in between that has to see the bytes.
 * Express-style middleware intercepts by replacing `write`, and may drop the callback that the stream waits for; a
 * server may use a response class of its own.
 */
export function responseSink(destination: NodeJS.WritableStream, clock: Clock): Sink | undefined {
  if (isOwn(destination, ServerResponse)) return new Http1Sink(destination)
  // Over HTTP/2 Koa's response has another class.
  if (isOwn(destination, Http2ServerResponse)) return new Http2Sink(destination, clock)
  return undefined
}

function isOwn<Response extends object>(
  destination: object,
  kind: abstract new (...args: never[]) => Response,
): destination is Response {
  return (
    destination instanceof kind && Reflect.get(destination, 'write') === Reflect.get(kind.prototype as object, 'write')
  )
}

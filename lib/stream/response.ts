import { ServerResponse } from 'node:http'
import { Http2ServerResponse } from 'node:http2'
import type { Writable } from 'node:stream'

/**
 * Whether a destination is the response itself, with nothing in between that would have to see the bytes. Middleware made
 * for Express puts itself in between by replacing `write`, and may lose the callback that the stream waits for.
 */
export function isResponse(destination: NodeJS.WritableStream): destination is ServerResponse & Writable {
  if (Object.hasOwn(destination, 'write')) return false
  return destination instanceof ServerResponse || destination instanceof Http2ServerResponse
}

/** Whether a response is over, and no `close` will tell of it any more. */
export function hasClosed(response: Writable): boolean {
  // Over HTTP/2 Koa's response is another class, which knows nothing of `closed`.
  return response instanceof Http2ServerResponse ? response.stream.destroyed : response.closed
}

/** Whether a response takes no more. An HTTP/2 stream that its client cancels ends some time before its `close`. */
export function hasEnded(response: Writable): boolean {
  return response instanceof Http2ServerResponse && response.stream.writableEnded
}

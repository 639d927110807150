import { ServerResponse } from 'node:http'
import { Http2ServerResponse } from 'node:http2'
import type { Writable } from 'node:stream'

/**
 * Whether a destination is the response itself, with nothing in between that would have to see the bytes. Middleware made
 * for Express puts itself in between by replacing `write`, and may lose the callback that the stream waits for; a server may
 * have a class of its own for responses.
 */
export function isResponse(destination: NodeJS.WritableStream): destination is ServerResponse & Writable {
  const kind = [ServerResponse, Http2ServerResponse].find(type => destination instanceof type)
  return kind !== undefined && Reflect.get(destination, 'write') === Reflect.get(kind.prototype, 'write')
}

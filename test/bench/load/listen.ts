import type { Readable } from 'node:stream'
import type { Observer } from './client.ts'
import type { Reader } from './reader.ts'

/** Has a reader read all that comes of a body, and tells of it. */
export function listen(body: Readable, reader: Reader, observer: Observer): void {
  body.on('error', error => observer.failed(error))
  body.on('data', (chunk: Buffer) => {
    try {
      const events = reader.read(chunk)
      if (events > 0) observer.received(events)
    } catch (error) {
      observer.failed(error as Error)
    }
  })
}

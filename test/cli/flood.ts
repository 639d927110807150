import type { ServerResponse } from 'node:http'

/** Writes the same again and again, as fast as it is taken, until the client has gone. */
export function flood(response: ServerResponse, piece: string | Uint8Array): void {
  const more = (): void => {
    if (!response.destroyed) response.write(piece, () => setImmediate(more))
  }
  more()
}

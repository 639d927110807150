import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'

/** Asks for a stream over HTTP/1.1 and does not read it. */
export async function openUnread(url: string, user: string): Promise<{ close(): void }> {
  const outgoing = request(url, { headers: { 'x-user': user }, agent: false }).end()
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
  for (const emitter of [outgoing, incoming]) emitter.on('error', () => {})
  return { close: () => outgoing.destroy() }
}

import type { ExecutionContext } from 'ava'
import { openEndpoint, type Endpoint, type Setup, type StreamOptions } from '../koa/endpoint.ts'
import { openClient, type Client, type ClientOptions } from './client.ts'

export interface Site extends Omit<Endpoint, 'open'> {
  /** Opens a stream of somebody's, and waits until it is live. */
  open(name: string, options?: ClientOptions): Promise<Client>
}

/** A mount that compresses. */
export async function openSite(t: ExecutionContext, options: StreamOptions = {}, setup: Setup = {}): Promise<Site> {
  const endpoint = await openEndpoint(t, { compress: 'gzip', ...options }, setup)
  const { http2 = false } = setup
  return {
    ...endpoint,
    open: async (name, { headers, ...rest } = {}) => {
      const client = await openClient(endpoint.url, { http2, ...rest, headers: { 'x-user': name, ...headers } })
      await client.shows('event: cursor')
      return client
    },
  }
}

/** Has something sent, and tells how many bytes came for it, as text and over the wire. */
export async function measure(
  client: Client,
  act: () => unknown,
  shows: (text: string) => boolean,
): Promise<{ readonly text: number; readonly wire: number }> {
  const { wireBytes, text } = client
  await act()
  await client.until(all => shows(all.slice(text.length)))
  return { text: Buffer.byteLength(client.text) - Buffer.byteLength(text), wire: client.wireBytes - wireBytes }
}

/** A small event as many applications send. */
export function quote(n: number): { event: string; data: object } {
  const price = 100 + ((n * 7_919) % 1_000) / 100
  const symbol = ['AAPL', 'MSFT', 'GOOG'][n % 3]
  return { event: 'quote', data: { symbol, bid: price, ask: price + 0.01, volume: (n * 31) % 500, at: 1.7e12 + n } }
}

import test, { type ExecutionContext } from 'ava'
import { openEndpoint } from '../koa/endpoint.ts'
import type { Setup, StreamOptions } from '../koa/endpoint.ts'
import { openClient, type Client } from './client.ts'

/** A mount with compression, and how to open streams of several persons there. */
async function openMount(t: ExecutionContext, options: StreamOptions = {}, setup: Setup = {}) {
  const endpoint = await openEndpoint(t, { compress: 'gzip', ...options }, setup)
  const open = async (name: string, encoding?: string, more: Record<string, string> = {}): Promise<Client> => {
    const client = await openClient(endpoint.url, {
      headers: { 'x-user': name, ...more },
      ...(encoding !== undefined && { encoding }),
      http2: setup.http2 === true,
    })
    await client.shows('event: cursor')
    return client
  }
  return { ...endpoint, open }
}

function quote(n: number): { event: string; data: object } {
  const price = 100 + ((n * 7_919) % 1_000) / 100
  return { event: 'quote', data: { symbol: ['AAPL', 'MSFT', 'GOOG'][n % 3], bid: price, ask: price + 0.01, at: 1.7e12 + n } }
}

for (const http2 of [false, true]) {
  test(`over HTTP/${http2 ? '2' : '1.1'} gzip holds what plain clients get, in far fewer bytes, each event at once`, async t => {
    const { hub, open } = await openMount(t, {}, { http2 })
    const [ann, bob, plain] = [await open('ann'), await open('bob'), await open('cid', 'identity')]
    t.deepEqual([ann.isCompressed, bob.isCompressed, plain.isCompressed], [true, true, false])
    for (const client of [ann, plain]) t.is(client.headers.vary, 'Accept-Encoding')
    const before = [ann.wireBytes, plain.wireBytes] as const
    for (let n = 0; n < 100; n += 1) {
      const id = await hub.publish('news', quote(n))
      await Promise.all([ann, bob, plain].map(client => client.shows(`id: ${id}\n`)))
    }
    t.deepEqual(ann.blocks, plain.blocks)
    t.deepEqual(bob.blocks, plain.blocks)
    const ratio = (plain.wireBytes - before[1]) / (ann.wireBytes - before[0])
    t.log(ratio, ann.wireBytes, bob.wireBytes)
    t.true(ratio > 3, String(ratio))
    await hub.drain()
    t.deepEqual(await Promise.all([ann, bob, plain].map(({ closed }) => closed)), ['end', 'end', 'end'])
    t.deepEqual(ann.blocks, plain.blocks)
  })
}

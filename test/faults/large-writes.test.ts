import { connect, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import type { EventStream } from 'koa-event-stream'
import { openEndpoint, REQUEST } from '../koa/endpoint.ts'
import { onEveryKoa } from '../koa/every-koa.ts'
import { Progress } from '../support/progress.ts'
import { ManualClock } from '../support/manual-clock.ts'

const MEGABYTES_24 = 24_000_000
// More than the kernel keeps back until it takes more from the process.
const STEP = 4_000_000

/** A client that counts what it reads, and keeps the end of it. */
class Reader {
  readonly socket: Socket
  readonly #progress = new Progress()
  bytes = 0
  tail = ''

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1')
    this.socket.on('error', () => {})
    this.socket.on('data', (chunk: Buffer) => {
      this.bytes += chunk.length
      this.tail = (this.tail + chunk.toString('latin1')).slice(-1_000)
      this.#progress.announce()
    })
    this.socket.once('close', () => this.#progress.announce())
    this.socket.write(REQUEST)
  }

  /** Reads on until something has come. */
  async until(pattern: RegExp): Promise<void> {
    await this.#readUntil(() => pattern.test(this.tail))
  }

  /** Reads so many bytes, and then no more. */
  async read(bytes: number): Promise<void> {
    const before = this.bytes
    await this.#readUntil(() => this.bytes >= before + bytes)
    await settled()
  }

  /** Reads to the end, and answers what came last. */
  async ended(): Promise<string> {
    await this.#readUntil(() => this.socket.closed)
    return this.tail
  }

  async #readUntil(isEnough: () => boolean): Promise<void> {
    this.socket.resume()
    await this.#progress.until(
      () => (isEnough() || this.socket.closed ? true : undefined),
      () => `That did not come, but ${this.tail}`,
    )
    this.socket.pause()
  }
}

/** The process has handed on what the kernel takes. */
async function settled(): Promise<void> {
  for (let n = 0; n < 50; n += 1) await turn()
}

async function stuckOn(
  t: Parameters<typeof openEndpoint>[0],
  Koa: NonNullable<Parameters<typeof openEndpoint>[2]>['Koa'],
) {
  const clock = new ManualClock()
  let held: EventStream | undefined
  const endpoint = await openEndpoint(
    t,
    {
      buffer: { bytes: 50_000_000, stall: 1_000 },
      subscribe: stream => {
        held = stream
        return 'news'
      },
    },
    { ...(Koa !== undefined && { Koa }), hub: { clock, maxEventBytes: 50_000_000 } },
  )
  const client = new Reader(endpoint.port)
  t.teardown(async () => void client.socket.destroy())
  await client.until(/event: cursor\n.*\n\n\r\n$/)
  if (held === undefined) throw new Error('no stream')
  return { ...endpoint, clock, client, stream: held }
}

onEveryKoa('a client that reads one very large event steadily is never slow, whatever the time', async (t, Koa) => {
  const { hub, clock, client, story, stream } = await stuckOn(t, Koa)
  await hub.publish('news', { data: 'x'.repeat(MEGABYTES_24) })
  await turn()
  let seconds = 0
  while (stream.bufferedBytes > 0) {
    await client.read(STEP)
    clock.advance(900)
    seconds += 1
    t.deepEqual(story, ['open'])
  }
  t.true(seconds > 2, 'It took longer than the stall')
  await hub.publish('news', { data: 'end' })
  await client.until(/data: end\n/)
  t.true(client.bytes > MEGABYTES_24)
})

onEveryKoa('a reader that stops is cut one to three seconds after the bytes began to wait', async (t, Koa) => {
  const { hub, clock, story, tells, stream } = await stuckOn(t, Koa)
  clock.advance(7_300)
  await hub.publish('news', { data: 'x'.repeat(MEGABYTES_24) })
  await turn()
  t.true(stream.bufferedBytes > 0)
  await settled()
  clock.advance(900)
  await turn()
  t.deepEqual(story, ['open'])
  clock.advance(2_100)
  await tells('close slow')
})

onEveryKoa('close() sends all that waits to a client that goes on reading', async (t, Koa) => {
  const { hub, clock, client, story, stream, tells } = await stuckOn(t, Koa)
  for (let n = 0; n < 24; n += 1) await hub.publish('news', { data: `${n} ${'x'.repeat(MEGABYTES_24 / 24)}` })
  await hub.publish('news', { data: 'end' })
  stream.close()
  for (let n = 0; n < 4; n += 1) {
    await client.read(STEP)
    clock.advance(900)
    await turn()
    t.deepEqual(story, ['open'])
  }
  await client.until(/data: end\n\nretry: \d+\nevent: goaway\ndata: {"reason":"server"}\n\n\r\n0\r\n\r\n$/)
  await tells('close server')
})

onEveryKoa('close() gives a client that stops reading the stall, and then cuts it', async (t, Koa) => {
  const { hub, clock, client, story, stream, tells } = await stuckOn(t, Koa)
  await hub.publish('news', { data: 'x'.repeat(MEGABYTES_24) })
  await hub.publish('news', { data: 'end' })
  stream.close()
  await client.read(STEP)
  clock.advance(900)
  await turn()
  t.deepEqual(story, ['open'])
  clock.advance(3_000)
  await tells('close server')
  t.notRegex(await client.ended(), /goaway|\r\n0\r\n\r\n$/)
})

onEveryKoa(
  'a login that ends in the middle of an event: that is finished, the rest thrown away, the reason told',
  async (t, Koa) => {
    const { hub, client, tells } = await stuckOn(t, Koa)
    await hub.publish('news', { data: `${'x'.repeat(MEGABYTES_24)}!` })
    await hub.publish('news', { data: 'secret' })
    await settled()
    await hub.disconnect({ identity: 'ann' }, 'logout')
    await client.until(/\r\n0\r\n\r\n$/)
    t.notRegex(client.tail, /secret/)
    t.regex(
      client.tail.replaceAll(/\r\n[1-9a-f][0-9a-f]*\r\n/g, ''),
      /x!\n\nevent: goaway\ndata: {"reason":"logout"}\n\n\r\n0\r\n\r\n$/,
    )
    await tells('close logout')
  },
)

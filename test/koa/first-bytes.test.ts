import { once } from 'node:events'
import { connect } from 'node:net'
import type { Middleware } from 'koa'
import { PassThrough, type Readable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import type { EventStream } from 'koa-event-stream'
import { raw } from '../support/http.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { openEndpoint, REQUEST } from './endpoint.ts'
import { onEveryKoa } from './every-koa.ts'
import { onEveryTransport } from './every-transport.ts'

const HEAD_END = '\r\n\r\n'
const body = (text: string) => text.slice(text.indexOf(HEAD_END) + HEAD_END.length)

/** The sizes and texts of the chunks of a body in chunked coding. */
function chunks(text: string): string[] {
  return body(text)
    .split(/\r\n/)
    .filter((_, index) => index % 2 === 1)
}

onEveryKoa(
  'the first bytes are `retry` and one line break in a chunk of their own, then the cursor',
  async (t, Koa) => {
    let held: EventStream | undefined
    const clock = new ManualClock()
    const { port, hub } = await openEndpoint(
      t,
      {
        subscribe: stream => {
          held = stream
          return 'news'
        },
      },
      { Koa, hub: { clock } },
    )
    const client = await raw(port, REQUEST)
    await client.until('event: cursor')
    await client.until(/\n\n\r\n$/)
    const [first = '', second = ''] = chunks(client.text)
    t.regex(first, /^retry: \d+\n$/)
    const cursor = await hub.cursor()
    t.is(second, `id: ${cursor}\nevent: cursor\ndata: {"stream":"${held?.id}","heartbeat":25000}\n\n`)
    // A heartbeat is a comment line without a text.
    clock.advance(27_000)
    await client.until('3\r\n: \n\r\n')
    client.close()
  },
)

onEveryKoa('the first bytes are written a turn ahead of everything else, whatever is at hand', async (t, Koa) => {
  const writes: { at: number; text: string }[] = []
  let turns = 0
  let counting = true
  const count = () => {
    turns += 1
    if (counting) setImmediate(count)
  }
  const watching: Middleware = async (ctx, next) => {
    const { socket } = ctx.req
    const { write } = socket
    setImmediate(count)
    socket.write = (chunk: string | Buffer, ...rest: []) => {
      writes.push({ at: turns, text: chunk.toString() })
      return write.call(socket, chunk, ...rest)
    }
    await next()
  }
  const { open, hub } = await openEndpoint(
    t,
    {
      subscribe: stream => {
        void stream.send({ data: 'state' })
        return 'news'
      },
    },
    { Koa, outer: [watching] },
  )
  const opening = open()
  hub.once('open', () => void hub.publish('news', { data: 'at once' }))
  const stream = await opening
  await stream.next(({ event }) => event === 'cursor')
  await stream.next(({ data }) => data === 'at once')
  counting = false
  const first = writes.find(({ text }) => text.includes('retry: '))
  const other = writes.find(({ text }) => text.includes('data: '))
  t.true(first !== undefined && other !== undefined && first.at < other.at, JSON.stringify(writes))
})

/** As @microsoft/fetch-event-source parses: a blank line is a message, whatever was before it. */
function lenient(text: string): { event: string; data: string }[] {
  const all: { event: string; data: string }[] = []
  let message = { event: '', data: '' }
  for (const line of text.split(/\r\n|\n|\r/).slice(0, -1)) {
    if (line === '') {
      all.push(message)
      message = { event: '', data: '' }
    } else if (line.startsWith('event: ')) message.event = line.slice(7)
    else if (line.startsWith('data: ')) message.data += (message.data === '' ? '' : '\n') + line.slice(6)
  }
  return all
}

onEveryTransport(
  'a naive client that parses each unnamed message as JSON gets every event, and no empty one',
  async (t, start) => {
    const clock = new ManualClock()
    let held: EventStream | undefined
    const { ask, hub } = await start(
      {
        subscribe: stream => {
          held = stream
          return 'news'
        },
      },
      { hub: { clock } },
    )
    const stream = (await ask()).read()
    await stream.next(({ event }) => event === 'cursor')
    for (let n = 0; n < 3; n += 1) {
      clock.advance(27_000)
      held?.comment('a note')
      await hub.publish('news', { data: { n } })
      await stream.next(({ event }) => event === 'message')
    }
    clock.advance(27_000)
    await hub.disconnect({ identity: 'ann' })
    await stream.closed
    const received = lenient(await stream.text())
    t.deepEqual(
      received.filter(({ event }) => event === '').map(({ data }) => JSON.parse(data) as unknown),
      [{ n: 0 }, { n: 1 }, { n: 2 }],
    )
    t.deepEqual(
      received.filter(({ event }) => event !== '').map(({ event }) => event),
      ['cursor', 'goaway'],
    )
  },
)

onEveryTransport('a POST gets a comment line at once, and no `retry` anywhere', async (t, start) => {
  const { ask, hub, tells } = await start({ heartbeat: false })
  const stream = (await ask({ method: 'POST', body: '{"model":"x"}' })).read()
  await stream.next(({ event }) => event === 'cursor')
  await hub.disconnect({ identity: 'ann' })
  t.is(await stream.closed, 'end')
  t.regex(
    await stream.text(),
    /^: \nid: \S+\nevent: cursor\ndata: {.*}\n\nevent: goaway\ndata: {"reason":"server"}\n\n$/,
  )
  await tells('close server')
})

onEveryTransport('a POST that is answered with a source has the blocks of the source alone', async (t, start) => {
  let waits = true
  const { ask } = await start({
    subscribe: async function* () {
      while (waits) await turn()
      yield { data: { delta: 'a' } }
      yield { data: '[DONE]' }
    },
  })
  const client = await ask({ method: 'POST', body: '{}' })
  // Its headers are there before the source has said anything.
  t.is(client.status, 200)
  waits = false
  const stream = client.read()
  t.is(await stream.closed, 'end')
  t.is(await stream.text(), ': \ndata: {"delta":"a"}\n\ndata: [DONE]\n\n')
})

onEveryKoa('a POST of 300 KB that nobody reads: its client is seen to leave', async (t, Koa) => {
  const { port, tells, isEmpty } = await openEndpoint(t, {}, { Koa })
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  const head = REQUEST.replace('GET', 'POST').replace('\r\n\r\n', '\r\nContent-Length: 300000\r\n\r\n')
  socket.write(head)
  socket.write(Buffer.alloc(300_000))
  await once(socket, 'data')
  socket.destroy()
  await tells('close client')
  await isEmpty()
  t.pass()
})

onEveryKoa('behind something else the first bytes come first and alone, too', async (t, Koa) => {
  const pieces: string[] = []
  const through: Middleware = async (ctx, next) => {
    await next()
    ctx.body = (ctx.body as Readable)
      .on('data', (piece: Buffer) => pieces.push(piece.toString()))
      .pipe(new PassThrough())
  }
  const { open } = await openEndpoint(t, {}, { Koa, outer: [through] })
  const stream = await open()
  await stream.next(({ event }) => event === 'cursor')
  t.regex(pieces[0] ?? '', /^retry: \d+\n$/)
  t.regex(pieces[1] ?? '', /^id: \S+\nevent: cursor\n/)
  stream.close()
})

// Sources of a resolver, well-behaved and not: all tests watch when a source is read and released.
import { setImmediate as turn, setTimeout } from 'node:timers/promises'
import test from 'ava'
import type { EventInput, EventStream, Hub } from 'koa-event-stream'
import { Deferred } from '../support/deferred.ts'
import { eventually } from '../support/eventually.ts'
import { raw } from '../support/http.ts'
import { openEndpoint, reasonOf, REQUEST } from './endpoint.ts'
import { onEveryKoa } from './every-koa.ts'

/** An endless source of large events that counts what is asked of it. */
class Endless implements AsyncIterableIterator<EventInput> {
  asked = 0
  returned = 0
  readonly #data = 'x'.repeat(10_000)

  next = async (): Promise<IteratorResult<EventInput>> => {
    this.asked += 1
    return { done: false, value: { data: this.#data } }
  }

  return = async (): Promise<IteratorResult<EventInput>> => {
    this.returned += 1
    return { done: true, value: undefined }
  };

  [Symbol.asyncIterator](): this {
    return this
  }
}

onEveryKoa(
  'a source is asked no faster than the client reads, and returned from once when it leaves',
  async (t, Koa) => {
    const source = new Endless()
    let held: EventStream | undefined
    const subscribe = (stream: EventStream) => {
      held = stream
      return source
    }
    const { port, tells } = await openEndpoint(t, { subscribe }, { Koa })
    const client = await raw(port, REQUEST)
    client.pause()
    const buffered = () => held?.bufferedBytes ?? 0
    // The kernel's buffers take some; then the source is left alone.
    await eventually(
      () => buffered() > 10_000,
      () => `The client reads on: ${String(source.asked)}`,
    )
    let before = -1
    await eventually(
      () => {
        const same = source.asked === before
        before = source.asked
        return same
      },
      () => 'The source is asked on and on',
    )
    t.true(buffered() <= 40_000, String(buffered()))
    client.resume()
    await eventually(
      () => source.asked > before,
      () => 'The source is asked no more',
    )
    client.close()
    await tells('close client')
    await eventually(
      () => source.returned > 0,
      () => 'The source was not returned from',
    )
    t.is(source.returned, 1)
  },
)

test('a source that waits for something else hears that the client has left', async t => {
  const [waiting, returned] = [new Deferred<void>(), new Deferred<void>()]
  const source: AsyncIterableIterator<EventInput> = {
    next: () => {
      waiting.resolve()
      return new Promise(() => {})
    },
    return: async () => {
      returned.resolve()
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]: () => source,
  }
  const { open, tells } = await openEndpoint(t, { subscribe: () => source })
  const stream = await open()
  await waiting.promise
  stream.close()
  await returned.promise
  await tells('close client')
  t.deepEqual(
    stream.received.filter(({ kind }) => kind === 'event'),
    [],
  )
})

test('a generator that waits is stopped by the signal of its stream', async t => {
  const finished = new Deferred<unknown>()
  const { open } = await openEndpoint(t, {
    subscribe: async function* (stream) {
      try {
        yield { data: 'first' }
        await reasonOf(stream.signal)
        yield { data: 'too late' }
      } finally {
        finished.resolve(stream.signal.reason)
      }
    },
  })
  const stream = await open()
  t.like(await stream.next(), { data: 'first' })
  stream.close()
  t.is(await finished.promise, 'client')
  t.notRegex(await stream.text(), /too late/)
})

for (const [how, wait] of [
  ['throws the reason', (signal: AbortSignal) => reasonOf(signal).then(() => signal.throwIfAborted())],
  ['throws an AbortError', (signal: AbortSignal) => setTimeout(60_000, undefined, { signal })],
] as const) {
  test(`a source that is stopped by its signal and ${how} has not failed`, async t => {
    const { open, tells, story, isEmpty } = await openEndpoint(t, {
      subscribe: async function* (stream) {
        yield { data: 'first' }
        await wait(stream.signal)
      },
    })
    const stream = await open()
    await stream.next()
    stream.close()
    await tells('close client')
    await isEmpty()
    await turn()
    t.deepEqual(story, ['open', 'close client'])
  })
}

onEveryKoa('a source that cannot be iterated is refused by name, and counted', async (t, Koa) => {
  const locked = new ReadableStream<EventInput>()
  locked.getReader()
  const sources: unknown[] = [locked, { [Symbol.asyncIterator]: () => undefined }]
  let source: unknown
  const { open, hub, story, causes, errors, isEmpty } = await openEndpoint(
    t,
    { subscribe: () => source as AsyncIterable<EventInput> },
    { Koa, expectsErrors: true },
  )
  for (source of sources) t.is((await open()).status, 500)
  await isEmpty()
  t.deepEqual(story, ['refuse resolver 500', 'refuse resolver 500'])
  t.is(hub.stats().refused.resolver, 2)
  t.regex(String(causes[0]), /`subscribe` returned a source that cannot be iterated: .*locked/)
  t.regex(String(causes[1]), /`subscribe` returned a source whose iterator has no `next\(\)`/)
  t.is(errors.length, 2)
})

for (const [what, answer] of [
  ['answers undefined', () => undefined],
  ['answers a number', () => 7],
  ['answers an event that is none', () => ({ done: false, value: 7 })],
  [
    'throws at once',
    () => {
      throw new Error('at once')
    },
  ],
  [
    'answers a hostile getter',
    () => ({
      get done(): never {
        throw new Error('hostile')
      },
    }),
  ],
] as const) {
  test(`a source whose next() ${what} is a fault, and ends its stream alone`, async t => {
    const source = { [Symbol.asyncIterator]: () => ({ next: answer }) }
    const { open, hub, story, isEmpty } = await openEndpoint(t, {
      subscribe: stream => (stream.identity.id === 'ann' ? (source as never) : 'news'),
    })
    const other = await open({ headers: { 'x-user': 'ben' } })
    await (
      await open()
    ).closed
    await hub.publish('news', { data: 'unharmed' })
    t.like(await other.next(({ event }) => event === 'message'), { data: 'unharmed' })
    t.deepEqual(story, ['open', 'open', 'fault source', 'close error'])
    other.close()
    await isEmpty()
  })
}

test('a source that throws when it is returned from, and a clean-up that fails, are faults', async t => {
  const source = {
    next: () => new Promise<never>(() => undefined),
    return: () => {
      throw new Error('not now')
    },
    [Symbol.asyncIterator]: () => source,
  }
  const { open, tells, story, isEmpty } = await openEndpoint(t, {
    subscribe: stream => (stream.identity.id === 'ann' ? source : () => Promise.reject(new Error('not now'))),
  })
  const [ann, ben] = [await open(), await open({ headers: { 'x-user': 'ben' } })]
  ann.close()
  await tells('fault source')
  ben.close()
  await tells('fault clean-up')
  await isEmpty()
  t.deepEqual(story.toSorted(), ['close client', 'close client', 'fault clean-up', 'fault source', 'open', 'open'])
})

test('while a source always has its next event at hand, the event loop turns and its client may leave', async t => {
  const tiny = { done: false as const, value: { data: 'x' } }
  let [asked, returned] = [0, 0]
  const sent: boolean[] = []
  const source = {
    next: async () => {
      asked += 1
      return tiny
    },
    return: async () => {
      returned += 1
      return { done: true as const, value: undefined }
    },
    [Symbol.asyncIterator]: () => source,
  }
  const { open, tells, isEmpty, hub } = await openEndpoint(t, {
    subscribe: stream => {
      stream.once('close', () => void stream.send({ data: 'late' }).then(answer => sent.push(answer)))
      return source
    },
  })
  const stream = await open()
  await stream.next()
  for (let n = 0; n < 20; n += 1) {
    const before = asked
    await turn()
    t.true(asked - before <= 64, `In one turn ${String(asked - before)} events were asked for`)
  }
  // Other requests are answered meanwhile.
  t.is((await open({ headers: { 'x-user': '' } })).status, 401)
  stream.close()
  await tells('close client')
  await isEmpty()
  await eventually(
    () => returned > 0 && sent.length > 0,
    () => 'The source was not returned from',
  )
  t.is(returned, 1)
  t.deepEqual(sent, [false])
  t.is(hub.stats().closed.client, 1)
})

test('a source that has ended by itself is not returned from', async t => {
  let returned = 0
  const source: AsyncIterableIterator<EventInput> = {
    next: async () => ({ done: true, value: undefined }),
    return: async () => {
      returned += 1
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]: () => source,
  }
  const { open, tells, close } = await openEndpoint(t, { subscribe: () => source })
  t.is(await (await open()).closed, 'end')
  await tells('close done')
  await close()
  t.is(returned, 0)
})

onEveryKoa('a source that fails cuts the stream after what it said, and the operator hears of it', async (t, Koa) => {
  const { open, story, causes } = await openEndpoint(
    t,
    {
      subscribe: async function* () {
        yield { data: 'before' }
        throw new Error('a secret')
      },
    },
    { Koa },
  )
  const stream = await open()
  t.is(await stream.closed, 'cut')
  t.regex(await stream.text(), /^retry: \d+\ndata: before\n\n$/)
  t.deepEqual(story, ['open', 'fault source', 'close error'])
  t.is(String(causes[0]), 'Error: a secret')
})

test('a source with an event that cannot be sent is returned from, and the stream is cut', async t => {
  const cleanedUp = new Deferred<void>()
  const { open, story } = await openEndpoint(t, {
    subscribe: async function* () {
      try {
        yield { event: 'a\nb', data: '' }
      } finally {
        cleanedUp.resolve()
      }
    },
  })
  const stream = await open()
  t.is(await stream.closed, 'cut')
  await cleanedUp.promise
  t.deepEqual(story, ['open', 'fault source', 'close error'])
})

for (const [why, end] of [
  ['the process drains', ({ hub }) => hub.drain({ within: 100 })],
  ['the application disconnects it', ({ hub, held }) => hub.disconnect({ identity: held.identity.id })],
  ['the application closes it', ({ held }) => held.close()],
] as const satisfies readonly (readonly [string, (at: { hub: Hub; held: EventStream }) => unknown])[]) {
  onEveryKoa(`a POST whose source still has something to say when ${why} does not look whole`, async (t, Koa) => {
    let held: EventStream | undefined
    const never = new Promise<never>(() => undefined)
    const subscribe = async function* (stream: EventStream): AsyncGenerator<EventInput> {
      held = stream
      yield { data: 'half' }
      yield await never
    }
    const { url, hub } = await openEndpoint(t, { subscribe }, { Koa })
    const response = await fetch(url, { method: 'POST', headers: { 'x-user': 'ann' } })
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    while (!text.includes('half')) {
      const part = await reader?.read()
      if (part?.done !== false) return t.fail(`${String(response.status)} ${text}`)
      text += part.value
    }
    if (held === undefined) return t.fail('no stream')
    const ended = end({ hub, held })
    await t.throwsAsync(async () => {
      while ((await reader?.read())?.done === false);
    })
    await ended
  })
}

onEveryKoa('a POST that is written by hand and closed is whole', async (t, Koa) => {
  const subscribe = async (stream: EventStream): Promise<void> => {
    await stream.send({ data: 'all' })
    stream.close()
  }
  const { url } = await openEndpoint(t, { subscribe }, { Koa })
  t.true((await (await fetch(url, { method: 'POST', headers: { 'x-user': 'ann' } })).text()).includes('data: all'))
})

import { setImmediate as turn, setTimeout } from 'node:timers/promises'
import test from 'ava'
import type { EventInput } from 'koa-event-stream'
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
    const { hub, port, tells } = await openEndpoint(t, { subscribe: () => source }, { Koa })
    const client = await raw(port, REQUEST)
    client.pause()
    // The kernel's buffers take some; then the source is left alone.
    await eventually(
      () => hub.stats().bufferedBytes > 10_000,
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
    t.true(hub.stats().bufferedBytes <= 40_000, String(hub.stats().bufferedBytes))
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

onEveryKoa('a source that fails ends the stream after what it said, and the operator hears of it', async (t, Koa) => {
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
  t.is(await stream.closed, 'end')
  t.regex(await stream.text(), /^retry: \d+\n\ndata: before\n\n$/)
  t.deepEqual(story, ['open', 'fault source', 'close error'])
  t.is(String(causes[0]), 'Error: a secret')
})

test('a source with an event that cannot be sent is returned from, and the stream ends', async t => {
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
  t.is(await stream.closed, 'end')
  await cleanedUp.promise
  t.deepEqual(story, ['open', 'fault source', 'close error'])
})

import { createHub, eventStream, type EventInput, type EventStream } from 'koa-event-stream'

// Nothing here runs: the type checker is the test.

interface Shop {
  'order.created': { id: number; total: string }
  price: number
  closing: undefined
  note: string | undefined
  message: string
}

export async function publishTyped(): Promise<void> {
  const hub = createHub<Shop>()
  const id: string = await hub.publish('a', { event: 'order.created', data: { id: 1, total: '2.00' } })
  await hub.publish(['a', 'b'], { event: 'price', data: id.length })
  await hub.publish('a', { event: 'closing' })
  await hub.publish('a', { event: 'note' })
  await hub.publish('a', { data: 'a message without a name' })
  await hub.publish('a', { event: 'message', data: 'a message' })
  // @ts-expect-error a name that is not in the map
  await hub.publish('a', { event: 'order.deleted', data: { id: 1 } })
  // @ts-expect-error the data of another event
  await hub.publish('a', { event: 'order.created', data: 5 })
  // @ts-expect-error a field is missing
  await hub.publish('a', { event: 'order.created', data: { id: 1 } })
  // @ts-expect-error no data, where the map wants some
  await hub.publish('a', { event: 'price' })
  // @ts-expect-error data, where the map wants none
  await hub.publish('a', { event: 'closing', data: 1 })
  // @ts-expect-error a message of the wrong type
  await hub.publish('a', { data: 1 })
  // @ts-expect-error a topic is text
  await hub.publish(1, { event: 'closing' })
}

export async function publishAnything(): Promise<void> {
  const hub = createHub()
  await hub.publish('a', { event: 'anything', data: { at: new Date() } })
  await hub.publish('a', { data: 1 })
  // @ts-expect-error a name is text
  await hub.publish('a', { event: 1 })
  // @ts-expect-error there is no such field
  await hub.publish('a', { data: 1, retry: 5 })
}

export async function sendTyped(stream: EventStream<Shop>): Promise<void> {
  const hasRoom: boolean = await stream.send({ event: 'price', data: 1, id: 'own' })
  // @ts-expect-error the data of another event
  await stream.send({ event: 'price', data: hasRoom })
  const identity: string = stream.identity.id
  stream.close('done')
  // @ts-expect-error a reason that is the library's own
  stream.close('slow')
  // @ts-expect-error topics are text
  await stream.subscribe(identity.length)
}

export function mount(): void {
  const hub = createHub<Shop>()
  eventStream({
    hub,
    authenticate: false,
    subscribe: stream => {
      void stream.send({ event: 'price', data: 1 })
      // @ts-expect-error the hub's events are the stream's
      void stream.send({ event: 'price', data: 'free' })
      // @ts-expect-error nobody has been asked who they are
      return `user:${stream.identity.id}`
    },
  })
  eventStream({
    hub,
    authenticate: false,
    subscribe: async function* (): AsyncGenerator<EventInput<Shop>> {
      yield { event: 'price', data: 1 }
      // @ts-expect-error a source is bound to the map as well
      yield { event: 'price', data: 'free' }
    },
  })
  // @ts-expect-error whether anybody may read it must be said
  eventStream({ hub, subscribe: () => 'a' })
  // @ts-expect-error a subscription is no number
  eventStream({ hub, authenticate: false, subscribe: () => 5 })
  hub.on('close', ({ stream, reason, duration }) => {
    const line: [string, string | undefined, string, number] = [stream.id, stream.identity?.id, reason, duration]
    return line
  })
  // @ts-expect-error there is no such event
  hub.on('closed', () => undefined)
}

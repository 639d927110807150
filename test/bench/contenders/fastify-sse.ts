import { fastifySSE } from '@fastify/sse'
import fastify, { type FastifyReply } from 'fastify'
import { topicsOf, type Application, type ApplicationOptions } from '../server/application.ts'
import { Audience } from '../server/audience.ts'

// What the plugin takes for none.
const NEVER = 2 ** 31 - 1

/** @fastify/sse, with a set of replies for each topic. */
export async function create({ heartbeat = NEVER }: ApplicationOptions): Promise<Application> {
  const app = fastify()
  const audience = new Audience<FastifyReply>()
  let id = 0
  // Its types say that the module is what the module's `default` is, which has a scope of its own when it is registered.
  await fastifySSE(app, { heartbeatInterval: heartbeat })
  app.get('/events/*', { sse: 'only' }, async (request, reply) => {
    const topics = topicsOf(request.url)
    reply.sse.keepAlive()
    // The head goes out with the first event only.
    await reply.sse.send({ data: 'hello' })
    audience.join(topics, reply)
    reply.sse.onClose(() => audience.leave(topics, reply))
  })
  await app.ready()
  return {
    server: app.server,
    publish: (topic, data) => {
      const event = { id: String((id += 1)), data }
      return Promise.all(Array.from(audience.of(topic), reply => reply.sse.send(event)))
    },
  }
}

import { createServer } from 'node:http'
import { createChannel, createSession, type Channel } from 'better-sse'
import { topicsOf, type Application, type ApplicationOptions } from '../server/application.ts'

/** A Channel for each topic. */
export function create({ heartbeat }: ApplicationOptions): Application {
  const channels = new Map<string, Channel>()
  const channel = (topic: string): Channel => {
    const known = channels.get(topic) ?? createChannel()
    channels.set(topic, known)
    return known
  }
  const server = createServer(async (request, response) => {
    const session = await createSession(request, response, { keepAlive: heartbeat ?? null })
    for (const topic of topicsOf(request.url ?? '')) channel(topic).register(session)
  })
  return { server, publish: (topic, data) => void channel(topic).broadcast(data) }
}

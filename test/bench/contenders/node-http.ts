import { createServer, type ServerResponse } from 'node:http'
import { COMMENT, HEADERS, topicsOf, type Application, type ApplicationOptions } from '../server/application.ts'
import { Audience, frames } from '../server/audience.ts'

/** `res.write` of one Buffer to every response. */
export function create({ heartbeat }: ApplicationOptions): Application {
  const audience = new Audience<ServerResponse>()
  const encode = frames()
  const server = createServer((request, response) => {
    const topics = topicsOf(request.url ?? '')
    response.writeHead(200, HEADERS).write(COMMENT)
    audience.join(topics, response)
    response.once('close', () => audience.leave(topics, response))
  })
  const comment = Buffer.from(COMMENT)
  audience.beat(heartbeat, response => response.write(comment))
  return {
    server,
    publish: (topic, data) => {
      const frame = encode(data)
      for (const response of audience.of(topic)) response.write(frame)
    },
  }
}

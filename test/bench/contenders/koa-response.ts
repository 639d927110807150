import { createServer, type ServerResponse } from 'node:http'
import Koa from 'koa'
import { COMMENT, HEADERS, topicsOf, type Application, type ApplicationOptions } from '../server/application.ts'
import { Audience, frames } from '../server/audience.ts'

/** A Koa handler that takes the response away from Koa and keeps nothing else. */
export function create({ heartbeat }: ApplicationOptions): Application {
  const app = new Koa()
  // Koa reports each client that leaves as an error.
  app.silent = true
  const audience = new Audience<ServerResponse>()
  const encode = frames()
  app.use(ctx => {
    ctx.respond = false
    const { res } = ctx
    const topics = topicsOf(ctx.path)
    res.writeHead(200, HEADERS).write(COMMENT)
    audience.join(topics, res)
    res.once('close', () => audience.leave(topics, res))
  })
  const comment = Buffer.from(COMMENT)
  audience.beat(heartbeat, response => response.write(comment))
  return {
    server: createServer(app.callback()),
    publish: (topic, data) => {
      const frame = encode(data)
      for (const response of audience.of(topic)) response.write(frame)
    },
  }
}

import { createServer } from 'node:http'
import { PassThrough } from 'node:stream'
import Koa from 'koa'
import { COMMENT, HEADERS, topicsOf, type Application, type ApplicationOptions } from '../server/application.ts'
import { Audience, frames } from '../server/audience.ts'

/**
 * A PassThrough as the body, as most Koa applications do it.
 *
 * @param use adds what the application has before it
 */
export function create({ heartbeat }: ApplicationOptions, use: (app: Koa) => unknown = () => undefined): Application {
  const app = new Koa()
  use(app)
  // Koa reports each client that leaves as an error.
  app.silent = true
  const audience = new Audience<PassThrough>()
  const encode = frames()
  app.use(ctx => {
    const topics = topicsOf(ctx.path)
    const body = new PassThrough()
    ctx.set(HEADERS)
    ctx.body = body
    body.write(COMMENT)
    audience.join(topics, body)
    body.once('close', () => audience.leave(topics, body))
  })
  const comment = Buffer.from(COMMENT)
  audience.beat(heartbeat, body => body.write(comment))
  return {
    server: createServer(app.callback()),
    publish: (topic, data) => {
      const frame = encode(data)
      for (const body of audience.of(topic)) body.write(frame)
    },
  }
}

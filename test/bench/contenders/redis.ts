import { redisBroker } from 'koa-event-stream/redis'
import type { Application, ApplicationOptions } from '../server/application.ts'
import { library } from './library.ts'

/** This library with its engine on Redis. */
export function create(options: ApplicationOptions): Application {
  if (options.redis === undefined) throw new TypeError('`redis` is missing')
  return library(options, { broker: redisBroker({ client: options.redis }) })
}

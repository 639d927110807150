/** The process of a contender that runs in Node: `node main.js <name> <options as JSON>`. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { applications, type ApplicationName } from '../contenders/applications.ts'
import { Publisher, type Plan } from '../plan.ts'
import { serveCommands } from '../remote.ts'
import type { ApplicationOptions } from './application.ts'

const [name, options] = process.argv.slice(2)
const { create } = await applications[name as ApplicationName]()
const { server, publish, shutdown, credentials } = await create(JSON.parse(options ?? '{}') as ApplicationOptions)
const publisher = new Publisher(publish)
server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 })
await once(server, 'listening')

const commands = {
  port: () => (server.address() as AddressInfo).port,
  publish: (plan: Plan) => publisher.follow(plan),
  credentials: (count: number) => {
    return credentials === undefined ? [] : Array.from({ length: count }, (_, i) => credentials(i))
  },
  shutdown: (within: number) => {
    if (shutdown === undefined) throw new TypeError(`${name ?? ''} has no way to shut down`)
    return shutdown(within)
  },
  collect: () => {
    globalThis.gc?.()
    globalThis.gc?.()
  },
  heap: () => process.memoryUsage().heapUsed,
}

export type ServerCommands = typeof commands

serveCommands(commands)

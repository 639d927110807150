/** An instance in a process of its own: `node instance.js <contender> <Redis>`. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serveCommands } from '../remote.ts'
import { createApplication, type ContenderName } from './contenders.ts'
import { Tokens, type Pace } from './tokens.ts'

// Its parent may go, and Redis with it, before it can be asked for anything.
process.once('disconnect', () => process.exit())
if (!process.connected) process.exit()

const [name = '', redis = ''] = process.argv.slice(2)
const tokens = new Tokens()
const app = await createApplication(name as ContenderName, redis, tokens)
const server = createServer(app.callback())
server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 })
await once(server, 'listening')

const commands = {
  port: () => (server.address() as AddressInfo).port,
  /** Has the model make tokens. */
  make: (pace: Pace) => tokens.make(pace),
}

export type InstanceCommands = typeof commands

serveCommands(commands)

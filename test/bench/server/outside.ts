/** Publishes over HTTP to a server that is no Node process: `node outside.js <port>`. Its events are POSTed one after the other on one connection. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { Publisher, type Plan } from '../plan.ts'
import { serveCommands } from '../remote.ts'

const STATUS = Buffer.from('HTTP/1.1 2')

const socket = connect({ port: Number(process.argv[2]), host: '127.0.0.1', noDelay: true })
await once(socket, 'connect')
const waiting: (() => void)[] = []
// A status line may be cut in two.
let rest = Buffer.alloc(0)
socket.on('data', (received: Buffer) => {
  const chunk = Buffer.concat([rest, received])
  for (let at = chunk.indexOf(STATUS); at !== -1; at = chunk.indexOf(STATUS, at + 1)) waiting.shift()?.()
  rest = chunk.subarray(Math.max(0, chunk.length - STATUS.length + 1))
})

const publisher = new Publisher((topic, data) => {
  socket.write(`POST /publish/${topic} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${data.length}\r\n\r\n${data}`)
  return new Promise<void>(resolve => waiting.push(resolve))
})

const commands = { publish: (plan: Plan) => publisher.follow(plan) }

export type OutsideCommands = typeof commands

serveCommands(commands)

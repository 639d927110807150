/**
 * Memory of idle streams: `npm run bench:idle -- [streams]`, 5,000 unless told otherwise.
 *
 * Each contender runs in a process of its own; this process holds the clients. What is printed is what the server's
 * resident memory and heap grew by, after a garbage collection, divided by the streams, and the CPU time of an opening.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { contenders } from './contenders.ts'

interface Started {
  readonly port: number
  readonly headers: Record<string, string>
}

interface Usage {
  readonly rss: number
  readonly heapUsed: number
  readonly cpu: NodeJS.CpuUsage
}

// How many connections are being opened at any time.
const CONCURRENCY = 50
// The first openings are not counted: they pay for what is compiled and allocated once.
const WARM_UP = 500

const streams = Number(process.argv[2] ?? 5_000)
const script = fileURLToPath(new URL('contenders.ts', import.meta.url))

for (const name of Object.keys(contenders)) {
  const server = fork(script, [name], { execArgv: ['--import=tsx', '--expose-gc'] })
  const [{ port, headers }] = (await once(server, 'message')) as [Started]
  const warm = await openMany(port, headers, WARM_UP)
  const before = await usage(server)
  const sockets = await openMany(port, headers, streams)
  const after = await usage(server)
  report(name, before, after)
  for (const socket of [...warm, ...sockets]) socket.destroy()
  server.disconnect()
  await once(server, 'exit')
}

async function usage(server: ChildProcess): Promise<Usage> {
  server.send('usage')
  const [answer] = (await once(server, 'message')) as [Usage]
  return answer
}

async function openMany(port: number, headers: Record<string, string>, count: number): Promise<Socket[]> {
  const sockets: Socket[] = []
  let left = count
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1
      sockets.push(await openOne(port, headers))
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, worker))
  return sockets
}

async function openOne(port: number, headers: Record<string, string>): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  const lines = Object.entries(headers).map(([key, value]) => `${key}: ${value}\r\n`)
  socket.write(`GET /events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n${lines.join('')}\r\n`)
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  if (!bytes.toString('latin1').startsWith('HTTP/1.1 200 OK')) throw new Error(`refused: ${bytes.toString('latin1')}`)
  return socket
}

function report(name: string, before: Usage, after: Usage): void {
  const kib = (bytes: number): string => (bytes / streams / 1_024).toFixed(1)
  const cpu = after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system
  console.log(
    `${name.padEnd(30)} ${kib(after.rss - before.rss)} KiB resident, ${kib(after.heapUsed - before.heapUsed)} KiB heap, ` +
      `${(cpu / streams).toFixed(0)} µs CPU an opening`,
  )
}

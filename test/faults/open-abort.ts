import { once } from 'node:events'
import { connect } from 'node:net'

// How many clients come and go at any time.
const CONCURRENCY = 50

// Where in its life a connection is reset or closed: with the request just sent, at the headers, or with the first event.
const STAGES = ['', 'HTTP/1.1 200', 'event: cursor'] as const

/** Opens streams and aborts them, each round at another stage, half of them with a reset. */
export async function openAndAbort(port: number, request: string, rounds: number): Promise<void> {
  let left = rounds
  const worker = async (): Promise<void> => {
    while (left > 0) await round(port, request, left--)
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, worker))
}

async function round(port: number, request: string, number: number): Promise<void> {
  const awaited = STAGES[number % STAGES.length] ?? ''
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  const closed = once(socket, 'close')
  const abort = () => (number % 2 === 0 ? socket.resetAndDestroy() : socket.destroy())
  let text = ''
  socket.on('data', chunk => {
    text += String(chunk)
    if (awaited !== '' && text.includes(awaited)) abort()
  })
  socket.write(request, () => {
    if (awaited === '') abort()
  })
  await closed
}

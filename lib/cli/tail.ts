import { connect } from '../client/index.ts'
import type { TailCommand } from './command-line.ts'
import { logIn } from './login.ts'
import { printable } from './printable.ts'

/** Prints events until the stream has ended for good, or as many have come as were asked for; answers the exit code. */
export async function runTail(command: TailCommand): Promise<number> {
  // A ticket is fetched with the URL, and opens one stream: the headers are asked for after it.
  let headers: Record<string, string> = {}
  followNoRedirects()
  const live = connect(
    async () => {
      const credentials = await logIn(command.url, command)
      headers = credentials.headers
      return credentials.url
    },
    {
      transport: 'fetch',
      headers: () => headers,
      since: command.since,
      parse: data => data,
      onState: (state, reason) => say(`${state}: ${reason}`),
      onError: error => say(error instanceof Error ? error.message : String(error)),
    },
  )
  const stop = () => live.close()
  process.once('SIGINT', stop).once('SIGTERM', stop)
  // Whoever reads may have had enough: `| head`.
  process.stdout.once('error', stop)
  let left = command.count
  for await (const { event, data, id } of live) {
    process.stdout.write(command.json ? `${printable(JSON.stringify({ event, id, data }))}\n` : lineOf(id, event, data))
    left -= 1
    if (left <= 0) break
  }
  const { reason } = live
  live.close()
  process.off('SIGINT', stop).off('SIGTERM', stop)
  return left <= 0 || reason === 'client' || reason === 'done' ? 0 : 1
}

/** Headers with keys in them would go along. The client has no option for it, and this process makes no other requests. */
function followNoRedirects(): void {
  const { fetch } = globalThis
  globalThis.fetch = (url, init) => fetch(url, { ...init, redirect: 'manual' })
}

function say(text: string): void {
  process.stderr.write(`${printable(text)}\n`)
}

function lineOf(id: string, event: string, data: unknown): string {
  // A gap is told as an object.
  const text = typeof data === 'string' ? data : data === undefined ? '' : JSON.stringify(data)
  return `${[id, event, text].map(printable).join(' ')}\n`
}

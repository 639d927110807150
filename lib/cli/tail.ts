import { connect } from '../client/index.ts'
import type { TailCommand } from './command-line.ts'
import { logIn } from './login.ts'
import { printable } from './printable.ts'

/** Prints events until the stream has ended or `--count` is reached; returns the exit code. */
export async function runTail(command: TailCommand): Promise<number> {
  // Each ticket opens one stream and is fetched together with the URL; the headers are set after it.
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
  // The reader of the pipe may stop: `| head`.
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

/** A redirect to another host would take headers such as `X-Api-Key` along. The client has no option for that. */
function followNoRedirects(): void {
  const { fetch } = globalThis
  globalThis.fetch = (url, init) => fetch(url, { ...init, redirect: 'manual' })
}

function say(text: string): void {
  process.stderr.write(`${printable(text)}\n`)
}

function lineOf(id: string, event: string, data: unknown): string {
  // The data of a gap is an object.
  const text = typeof data === 'string' ? data : data === undefined ? '' : JSON.stringify(data)
  return `${[id, event, text].map(printable).join(' ')}\n`
}

import { once } from 'node:events'
import { connect } from '../client/index.ts'
import { eventLimit, MOST_BYTES } from './event-limit.ts'
import type { TailCommand } from './command-line.ts'
import { logIn } from './login.ts'
import { say } from './output.ts'
import { printable } from './printable.ts'

/** Milliseconds that a signal leaves to the reader of the output. */
const GRACE = 1_000

/** Prints events until the stream has ended or `--count` is reached; returns the exit code. */
export async function runTail(command: TailCommand): Promise<number> {
  // Each ticket opens one stream and is fetched together with the URL; the headers are set after it.
  let headers: Record<string, string> = {}
  const seen = { isTooLarge: false }
  guardFetch(() => {
    seen.isTooLarge = true
    live.close()
  })
  const live = connect(
    async ({ signal }) => {
      const credentials = await logIn(command.url, command, signal)
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
  const stop = () => {
    live.close()
    // What has been printed is left to a slow reader; one that reads nothing would hold the process for ever.
    setTimeout(() => process.exit(), GRACE).unref()
  }
  process.once('SIGINT', stop).once('SIGTERM', stop)
  let left = command.count
  for await (const { event, data, id } of live) {
    process.stdout.write(command.json ? `${printable(JSON.stringify({ event, id, data }))}\n` : lineOf(id, event, data))
    left -= 1
    if (left <= 0) break
  }
  const { reason } = live
  live.close()
  process.off('SIGINT', stop).off('SIGTERM', stop)
  if (seen.isTooLarge) {
    say(
      `an event has more than ${MOST_BYTES / 1_024 ** 2} MiB, and no more is read: is this the URL of an event stream?`,
    )
    return 1
  }
  return left <= 0 || reason === 'client' || reason === 'done' ? 0 : 1
}

/**
 * What the client has no options for: no redirect, since one to another host would take headers such as `X-Api-Key` along;
 * and a bound of what an event takes of memory, and of what waits for a slow reader of the output.
 */
function guardFetch(exceeded: () => void): void {
  const { fetch } = globalThis
  globalThis.fetch = async (url, init) => {
    const response = await fetch(url, { ...init, redirect: 'manual' })
    const { body, status, statusText, headers } = response
    if (body === null) return response
    return new Response(body.pipeThrough(eventLimit(exceeded, drained)), { status, statusText, headers })
  }
}

async function drained(): Promise<void> {
  if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain')
}

function lineOf(id: string, event: string, data: unknown): string {
  // The data of a gap is an object.
  const text = typeof data === 'string' ? data : data === undefined ? '' : JSON.stringify(data)
  return `${[id, event, text].map(printable).join(' ')}\n`
}

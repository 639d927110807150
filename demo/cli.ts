import { readFile, writeFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { EventSourceParserStream, type EventSourceMessage } from 'eventsource-parser/stream'
import { ApiClient, LoginEnded } from './public/api-client.js'

const USAGE = `Follows your orders from the command line, one line of JSON an event.

  npx tsx demo/cli.ts --user ada [options]

  --url <url>        the site (http://localhost:3000)
  --user <name>      who to log in as; the password is read from PASSWORD
  --market           prices as well
  --cursor <file>    where to keep the cursor: the next run goes on from there
  --count <number>   stop after so many events
`

/** Milliseconds to wait before coming back, until the server asks for something else. */
const DEFAULT_RETRY = 3_000

/** Events that are about the stream itself. */
const HOUSEKEEPING = new Set(['cursor', 'heartbeat', 'goaway'])

interface Options {
  readonly url: string
  readonly user: string
  readonly password: string
  readonly market: boolean
  readonly cursorFile: string | undefined
  readonly count: number
}

async function main(options: Options): Promise<void> {
  const api = new ApiClient(new URL('/api/', options.url))
  let cursor = options.cursorFile === undefined ? '' : await readFile(options.cursorFile, 'utf8').catch(() => '')
  let retry = DEFAULT_RETRY
  let left = options.count

  while (left > 0) {
    for await (const message of connect(api, options, cursor, value => (retry = value))) {
      if (message.id !== undefined) {
        cursor = message.id
        if (options.cursorFile !== undefined) await writeFile(options.cursorFile, cursor)
      }
      if (HOUSEKEEPING.has(message.event ?? '')) continue
      print(message)
      if (--left <= 0) return
    }
    note(`cut off, back in ${retry} ms`)
    await delay(retry)
  }
}

/** One connection's events; a failure to connect is reported and has none. */
async function* connect(
  api: ApiClient,
  options: Options,
  cursor: string,
  onRetry: (ms: number) => void,
): AsyncGenerator<EventSourceMessage> {
  try {
    if (!api.isLoggedIn) await logIn(api, options)
    const body = await open(api, options, cursor)
    yield* body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream({ onRetry }))
  } catch (error) {
    if (error instanceof Refusal) throw error
    note(error instanceof Error ? error.message : String(error))
  }
}

async function logIn(api: ApiClient, { user, password }: Options): Promise<void> {
  try {
    await api.logIn(user, password)
  } catch (error) {
    throw error instanceof LoginEnded ? new Refusal(error.message) : error
  }
}

/** A stream ends with its access token: the next one is opened with a token that was refreshed, from the cursor on. */
async function open(api: ApiClient, { market }: Options, cursor: string): Promise<NonNullable<Response['body']>> {
  const response = await api.fetch(market ? 'events?market' : 'events', {
    headers: { Accept: 'text/event-stream', ...(cursor && { 'Last-Event-ID': cursor }) },
  })
  if (!response.ok || response.body === null) throw new Error(`the stream was refused with status ${response.status}`)
  note(cursor ? `connected, from ${cursor} on` : 'connected')
  return response.body
}

/** Trying again would not help. */
class Refusal extends Error {}

function print({ id, event, data }: EventSourceMessage): void {
  console.log(JSON.stringify({ id, event, data: JSON.parse(data) as unknown }))
}

function note(text: string): void {
  console.error(`# ${text}`)
}

function readOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      url: { type: 'string', default: 'http://localhost:3000' },
      user: { type: 'string' },
      market: { type: 'boolean', default: false },
      cursor: { type: 'string' },
      count: { type: 'string', default: 'Infinity' },
    },
  })
  const { PASSWORD: password } = process.env
  if (values.user === undefined || password === undefined) return undefined
  const { url, user, market, cursor: cursorFile } = values
  return { url, user, password, market, cursorFile, count: Number(values.count) }
}

const options = readOptions()
if (options === undefined) {
  console.error(USAGE)
  process.exitCode = 2
} else {
  await main(options).catch((error: unknown) => {
    console.error(error instanceof Refusal ? error.message : error)
    process.exitCode = 1
  })
}

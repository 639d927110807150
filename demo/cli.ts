import { readFile, writeFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { EventSourceParserStream, type EventSourceMessage } from 'eventsource-parser/stream'

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
const HOUSEKEEPING = new Set(['cursor', 'heartbeat'])

interface Options {
  readonly url: string
  readonly user: string
  readonly password: string
  readonly market: boolean
  readonly cursorFile: string | undefined
  readonly count: number
}

async function main(options: Options): Promise<void> {
  let cursor = options.cursorFile === undefined ? '' : await readFile(options.cursorFile, 'utf8').catch(() => '')
  let retry = DEFAULT_RETRY
  let left = options.count

  while (left > 0) {
    for await (const message of connect(options, cursor, value => (retry = value))) {
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
  options: Options,
  cursor: string,
  onRetry: (ms: number) => void,
): AsyncGenerator<EventSourceMessage> {
  try {
    const body = await open(options, await logIn(options), cursor)
    yield* body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream({ onRetry }))
  } catch (error) {
    if (error instanceof Refusal) throw error
    note(error instanceof Error ? error.message : String(error))
  }
}

/** Tokens are short-lived, so each connection gets a fresh one. */
async function logIn({ url, user, password }: Options): Promise<string> {
  const response = await fetch(new URL('/api/token', url), {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ username: user, password }),
  })
  if (response.status === 401) throw new Refusal('user name and password do not match')
  if (!response.ok) throw new Error(`logging in failed with status ${response.status}`)
  const { access_token: token } = (await response.json()) as { access_token: string }
  return token
}

async function open({ url, market }: Options, token: string, cursor: string): Promise<NonNullable<Response['body']>> {
  const response = await fetch(new URL(market ? '/api/events?market' : '/api/events', url), {
    headers: {
      Accept: 'text/event-stream',
      Authorization: `Bearer ${token}`,
      ...(cursor && { 'Last-Event-ID': cursor }),
    },
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

import { readFile, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { connect, type UrlFunction } from 'koa-event-stream/client'
import type { Events } from './events.ts'
import { ApiClient, LoginEnded } from './public/api-client.js'

const USAGE = `Follows your orders from the command line, one line of JSON an event.

  npx tsx demo/cli.ts --user ada [options]

  --url <url>        the site (http://localhost:3000)
  --user <name>      who to log in as; the password is read from PASSWORD
  --market           prices as well
  --cursor <file>    where to keep the cursor: the next run goes on from there
  --count <number>   stop after so many events
`

interface Options {
  readonly url: string
  readonly user: string
  readonly password: string
  readonly market: boolean
  readonly cursorFile: string | undefined
  readonly count: number
}

async function main({ url, user, password, market, cursorFile, count }: Options): Promise<void> {
  const api = new ApiClient(new URL('/api/', url))
  let cursor = ''
  if (cursorFile !== undefined) cursor = await readFile(cursorFile, 'utf8').catch(() => '')
  const keep = async (id: string) => {
    cursor = id
    if (cursorFile !== undefined) await writeFile(cursorFile, cursor)
  }

  // A stream ends with its access token: the next one is opened with a token that was refreshed, from the cursor on.
  const locate: UrlFunction = async ({ reason }) => {
    try {
      if (!api.isLoggedIn) await api.logIn(user, password)
      else if (reason === 'unauthenticated') await api.refresh()
      return api.url(market ? 'events?market' : 'events')
    } catch (error) {
      if (!(error instanceof LoginEnded)) throw error
      // Trying again would not help.
      note(error.message)
      return null
    }
  }
  const live = connect<Events>(locate, {
    since: cursor,
    headers: () => api.authorization,
    onState: (state, reason) => note(`${state}: ${reason}`),
    onError: error => note(error instanceof Error ? error.message : String(error)),
  })
  // Where the first run begins.
  live.on('cursor', (_, { id }) => cursor === '' && keep(id))

  let left = count
  for await (const received of live) {
    console.log(JSON.stringify(received))
    await keep(received.id)
    if (--left <= 0) break
  }
  // It has ended by itself.
  if (left > 0) process.exitCode = 1
  live.close()
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
  await main(options)
}

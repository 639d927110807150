import { stripVTControlCharacters } from 'node:util'
import logger from 'koa-logger'
import pinoLogger from 'koa-pino-logger'
import { eventually } from '../../support/eventually.ts'
import type { Neighbour, Site } from '../neighbour.ts'
import { SpanLedger, traced } from '../tracing.ts'

interface PinoLine {
  readonly level: number
  readonly req: { readonly url: string }
  readonly res: { readonly statusCode: number }
}

/** Pino's number for `info`. */
const INFO = 30

/** What a page and two streams, of which the visitor left, make three lines of. */
async function hasThreeLines({ get }: Site, lines: readonly unknown[]): Promise<void> {
  await (await get('/page')).text()
  await eventually(
    () => lines.length === 3,
    () => `Three lines were to be logged: ${JSON.stringify(lines)}`,
  )
}

/** Middleware that tells what happens. */
export const observers: readonly Neighbour[] = [
  {
    packages: ['koa-logger'],
    note: 'Logs a stream when it is over, whoever ended it',
    arrange: () => {
      const lines: string[] = []
      const keep = (line: string) => {
        const [, arrow = '', , path = '', status = ''] = stripVTControlCharacters(line).split(/ +/)
        if (arrow !== '<--') lines.push(`${arrow} ${path} ${status}`)
      }
      return {
        before: [logger(keep)],
        proves: async site => {
          await hasThreeLines(site, lines)
          site.t.deepEqual(lines, ['--> /events 200', '--> /events 200', '--> /page 200'])
        },
      }
    },
  },
  {
    packages: ['koa-pino-logger'],
    note: 'Logs a stream when it is over; have its `redact` hide `Authorization` and cookies',
    arrange: () => {
      const lines: PinoLine[] = []
      const output = { write: (line: string) => lines.push(JSON.parse(line) as PinoLine) }
      return {
        before: [pinoLogger({}, output)],
        proves: async site => {
          await hasThreeLines(site, lines)
          const told = lines.map(({ level, req, res }) => [level, req.url, res.statusCode])
          site.t.deepEqual(told, [
            [INFO, '/events', 200],
            [INFO, '/events', 200],
            [INFO, '/page', 200],
          ])
        },
      }
    },
  },
  {
    packages: ['@opentelemetry/instrumentation-koa'],
    note: 'Spans of middleware end when the stream opens; the span of HTTP ends when the client leaves',
    arrange: ({ Koa }) => {
      const ledger = new SpanLedger()
      const { app, request } = traced(Koa, ledger)
      return {
        app,
        before: [request, async (_, next) => next()],
        proves: async ({ t, open, isEmpty }) => {
          ledger.ended.length = 0
          const stream = await open()
          await stream.next()
          t.deepEqual([...ledger.open.values()], ['request'])
          t.is(ledger.ended.length, 2, 'of the middleware in front, and of the stream’s own')
          stream.close()
          await isEmpty()
          await eventually(
            () => ledger.open.size === 0,
            () => `Spans are open: ${[...ledger.open.values()].join()}`,
          )
        },
      }
    },
  },
]

import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type { Login } from './login.ts'

export const USAGE = `Usage: koa-event-stream <command> <url> [options]

  doctor <url>   opens the stream a few times, and says what lies between does to it, and what to do about that
  tail <url>     prints events as they come, and reconnects as pages do, until Ctrl-C

Who asks:
  --header <'Name: value'>   sent with each request; may be repeated. @file reads them from a file, one a line
  --cookie <'name=value'>    sent with each request; may be repeated. @file reads them from a file, one a line
  --ticket-url <url>         where a POST with these answers {"ticket":"…"}, one for each stream that is opened

What is told:
  --json                     JSON: one object for doctor, one a line for tail

doctor:
  --origin <origin>          of a page on another site, which opens the stream, too: https://app.example.com
  --timeout <seconds>        how long an answer, and its first event, may take; default 5
  --wait <seconds>           how long to watch an idle stream; by default for two of its heartbeats

tail:
  --since <id>               begins behind this event
  --count <number>           ends after so many events

Exit codes: 0 all is well, or what was asked for has come; 1 doctor has found a problem, or the stream has ended for good;
2 it could not be tried.
`

/** Milliseconds that a timer of Node counts at most: 24 days. */
const LONGEST_TIMER = 2 ** 31 - 1

/** The command line is wrong; the message says what. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

interface Target extends Login {
  readonly url: URL
  readonly json: boolean
}

export interface DoctorCommand extends Target {
  readonly name: 'doctor'
  readonly origin: string | undefined
  /** Milliseconds. */
  readonly wait: number | undefined
  /** Milliseconds. */
  readonly patience: number
}

export interface TailCommand extends Target {
  readonly name: 'tail'
  readonly since: string | undefined
  readonly count: number
}

export type Command = DoctorCommand | TailCommand | { readonly name: 'help' }

/** @throws {UsageError} that says what is wrong, without any value: it could be a secret */
export function readCommandLine(args: readonly string[]): Command {
  const { values, positionals } = parse(args)
  const [name, address, ...rest] = positionals
  if (values.help || name === undefined) return { name: 'help' }
  if (name !== 'doctor' && name !== 'tail') throw new UsageError('The command is doctor or tail.')
  if (address === undefined || rest.length > 0) throw new UsageError(`${name} takes one URL.`)
  const target = {
    url: readUrl('the URL', address),
    headers: [...lines('header', values.header).map(readHeader), ...cookieHeader(lines('cookie', values.cookie))],
    ticketUrl: values['ticket-url'] === undefined ? undefined : readUrl('--ticket-url', values['ticket-url']),
    json: values.json ?? false,
  }
  if (name === 'tail') {
    refuse(name, values, ['origin', 'timeout', 'wait'])
    const count = values.count === undefined ? Infinity : readNumber('count', values.count, 1)
    return { name, ...target, since: values.since, count }
  }
  refuse(name, values, ['since', 'count'])
  const wait = values.wait === undefined ? undefined : readDuration('wait', values.wait, 0)
  const patience = readDuration('timeout', values.timeout ?? '5', 1)
  const origin = values.origin === undefined ? undefined : readUrl('--origin', values.origin).origin
  return { name, ...target, origin, wait, patience }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        header: { type: 'string', multiple: true },
        cookie: { type: 'string', multiple: true },
        'ticket-url': { type: 'string' },
        json: { type: 'boolean' },
        origin: { type: 'string' },
        timeout: { type: 'string' },
        wait: { type: 'string' },
        since: { type: 'string' },
        count: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    // It names the option, and shows no value.
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

function refuse(command: string, values: Readonly<Record<string, unknown>>, names: readonly string[]): void {
  for (const name of names) if (values[name] !== undefined) throw new UsageError(`${command} has no --${name}.`)
}

function readUrl(what: string, text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new UsageError(`${what} must begin with http:// or https://.`)
  }
  return url
}

function readNumber(name: string, text: string, least: number): number {
  const number = Number(text)
  if (!(number >= least) || text.trim() === '') throw new UsageError(`--${name} takes a number from ${least} on.`)
  return number
}

/** Milliseconds. */
function readDuration(name: string, text: string, least: number): number {
  return Math.min(readNumber(name, text, least) * 1_000, LONGEST_TIMER)
}

/** What is given, with the lines of the files that are named. */
function lines(name: string, given: readonly string[] = []): string[] {
  return given.flatMap(one => {
    if (!one.startsWith('@')) return [one]
    try {
      return readFileSync(one.slice(1), 'utf8')
        .split(/\r?\n/)
        .filter(line => line.trim() !== '')
    } catch {
      throw new UsageError(`the file of --${name} cannot be read.`)
    }
  })
}

function readHeader(line: string): [string, string] {
  const [, name, value = ''] = /^([^\s:]+)\s*:\s*(.*)$/.exec(line) ?? []
  if (name === undefined) throw new UsageError(`--header takes 'Name: value'.`)
  try {
    new Headers([[name, value]])
  } catch {
    throw new UsageError('--header holds a character that cannot be sent.')
  }
  return [name.toLowerCase(), value]
}

function cookieHeader(cookies: readonly string[]): [string, string][] {
  return cookies.length === 0 ? [] : [readHeader(`cookie: ${cookies.join('; ')}`)]
}

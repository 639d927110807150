import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type { Login } from './login.ts'

export const USAGE = `Usage: koa-event-stream <command> <url> [options]

  doctor <url>   opens the stream a few times, and reports what proxies do to it and how to fix that
  tail <url>     prints events as they arrive, and reconnects as pages do, until Ctrl-C

Credentials:
  --header <'Name: value'>   sent with each request; repeatable. @file reads them from a file, one per line
  --cookie <'name=value'>    sent with each request; repeatable. @file reads them from a file, one per line
  --ticket-url <url>         a POST to it with these returns {"ticket":"…"}, one per stream

Output:
  --json                     JSON: one object for doctor, one per line for tail

doctor:
  --origin <origin>          of a cross-site page that opens the stream: https://app.example.com
  --timeout <seconds>        timeout of a response, and of its first event; default 5
  --wait <seconds>           how long to watch an idle stream; default two heartbeats

tail:
  --since <id>               start after this event
  --count <number>           stop after this many events

Exit codes: 0 success; 1 doctor found a problem, or the stream of tail has ended for good or its output cannot be written;
2 invalid command line, or doctor has no ticket or its output cannot be written.
`

/** The longest timer of Node in milliseconds: 24 days. */
const LONGEST_TIMER = 2 ** 31 - 1

/** What a header can be named, and what its value can contain (RFC 9110, 5.6.2 and 5.5). */
const TOKEN = /^[!#$%&'*+.^_`|~\da-z-]+$/i
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/** Headers of the connection or of the message, not of the request: `fetch` refuses them, or ignores them, as it does `Host`. */
const NOT_OURS = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** An invalid command line; the message says why. */
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

/** @throws {UsageError} saying what is wrong, without any value: it could be a secret */
export function readCommandLine(args: readonly string[]): Command {
  const { values, positionals } = parse(args)
  const [name, address, ...rest] = positionals
  if (values.help || name === undefined) return { name: 'help' }
  if (name !== 'doctor' && name !== 'tail') throw new UsageError('The command must be doctor or tail.')
  if (address === undefined || rest.length > 0) throw new UsageError(`${name} takes one URL.`)
  const target = {
    url: readUrl('the URL', address),
    headers: joined([
      ...lines('header', values.header).map(readHeader),
      ...lines('cookie', values.cookie).map(readCookie),
    ]),
    ticketUrl: values['ticket-url'] === undefined ? undefined : readUrl('--ticket-url', values['ticket-url']),
    json: values.json ?? false,
  }
  if (name === 'tail') {
    refuse(name, values, ['origin', 'timeout', 'wait'])
    const count = values.count === undefined ? Infinity : readCount('count', values.count)
    const since = values.since === undefined ? undefined : sendable('since', values.since)
    return { name, ...target, since, count }
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
    // Node's message names the option and contains no value.
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
  // `fetch` refuses such a URL, and everybody sees a command line.
  if (url.username !== '' || url.password !== '') {
    throw new UsageError(
      `${what} must have no user and no password in it: pass 'Authorization: Basic …' by --header @file.`,
    )
  }
  return url
}

function readNumber(name: string, text: string, least: number): number {
  const number = Number(text)
  if (!(number >= least) || text.trim() === '') throw new UsageError(`--${name} takes a number of at least ${least}.`)
  return number
}

function readCount(name: string, text: string): number {
  const count = Number(text)
  if (!Number.isSafeInteger(count) || count < 1) throw new UsageError(`--${name} takes a whole number of at least 1.`)
  return count
}

/** Milliseconds. */
function readDuration(name: string, text: string, least: number): number {
  return Math.min(readNumber(name, text, least) * 1_000, LONGEST_TIMER)
}

/** The given values, with `@file` replaced by the file's lines. */
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
  const [, given, value = ''] = /^([^\s:]+)\s*:\s*(.*)$/s.exec(line) ?? []
  if (given === undefined) throw new UsageError(`--header takes 'Name: value'.`)
  if (!TOKEN.test(given)) throw new UsageError('--header contains a character that cannot be sent.')
  const name = given.toLowerCase()
  if (NOT_OURS.has(name)) throw new UsageError(`--header cannot set ${name}: it belongs to the connection.`)
  return [name, sendable('header', value)]
}

function readCookie(pair: string): [string, string] {
  return ['cookie', sendable('cookie', pair)]
}

/** The same value, if it can be sent in a header: `fetch` fails for another as it does without a network. */
function sendable(option: string, value: string): string {
  if (!FIELD_VALUE.test(value)) throw new UsageError(`--${option} contains a character that cannot be sent.`)
  return value
}

/** Each name once: a repeated one is a list (RFC 9110, 5.3), and cookies are a list of their own (RFC 6265, 5.4). */
function joined(headers: readonly (readonly [name: string, value: string])[]): [string, string][] {
  const values = new Map<string, string>()
  for (const [name, value] of headers) {
    const before = values.get(name)
    values.set(name, before === undefined ? value : `${before}${name === 'cookie' ? ';' : ','} ${value}`)
  }
  return [...values]
}

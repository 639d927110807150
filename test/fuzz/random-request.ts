import type { Random } from '../support/random.ts'
import { LISTED_ORIGIN, STREAM_PATHS } from './application.ts'
import { PLAN_NAMES } from './resolver.ts'
import { USERS, type Wallet } from './wallet.ts'

/** A request before it is put into the bytes of a version of HTTP. */
export interface RandomRequest {
  readonly method: string
  readonly path: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: string
}

const OTHER_PATHS = [
  '/login',
  '/login',
  '/ticket',
  '/ticket',
  '/logout',
  '/regenerate',
  '/page',
  '/nowhere',
  '//',
  '/%',
]
const METHODS = ['HEAD', 'POST', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE']
const ACCEPTS = [
  'text/event-stream',
  '*/*',
  'text/*;q=0.1',
  'text/html',
  'text/event-stream;q=0',
  'application/json',
  ';;,/',
]
const ORIGINS = ['http://localhost', LISTED_ORIGIN, 'https://elsewhere.example', 'null', 'x:y', '\u00ff']
const SITES = ['same-origin', 'same-origin', 'none', 'same-site', 'cross-site', '?']
const ADDRESSES = ['192.0.2.', '198.51.100.', '2001:db8:', '::ffff:203.0.113.', 'unknown, ', '<>']
const ODDITIES = [
  ['Expect', '100-continue'],
  ['Expect', '200-ok'],
  ['Connection', 'close'],
  ['Connection', 'keep-alive'],
  ['Range', 'bytes=0-1'],
  ['If-None-Match', '*'],
  ['TE', 'trailers'],
  ['Authorization', 'Basic eDp5'],
  ['Last-Event-ID', ''],
  ['X-Long', 'x'.repeat(17_000)],
] as const

/** Makes up a request, most often one that could get a stream, with a few things wrong or odd about it. */
export function randomRequest(random: Random, wallet: Wallet): RandomRequest {
  const route = random.chance(0.75) ? random.pick(STREAM_PATHS) : random.pick(OTHER_PATHS)
  const method = methodFor(route, random)
  const body = method === 'POST' && random.chance(0.7) ? `{"n":${random.between(0, 1_000)}}` : ''
  return { method, path: withQuery(route, random, wallet), headers: randomHeaders(random, wallet), body }
}

function methodFor(route: string, random: Random): string {
  if (random.chance(0.15)) return random.pick(METHODS)
  return route === '/ticket' ? 'POST' : 'GET'
}

function withQuery(path: string, random: Random, wallet: Wallet): string {
  const query: string[] = []
  if (path === '/login') query.push(`user=${random.pick(USERS)}`)
  if (random.chance(0.08)) query.push(`ticket=${wallet.ticket(random)}`)
  if (random.chance(0.05)) query.push(`access_token=${wallet.token(random)}`)
  if (random.chance(0.15)) query.push(`lastEventId=${encodeURIComponent(wallet.cursor(random))}`)
  if (random.chance(0.03))
    query.push(random.pick(['%', '%zz=1', 'a=%E0%A4', '&&=', '?', 'lastEventId', 'access%5Ftoken=x']))
  return query.length === 0 ? path : `${path}?${query.join('&')}`
}

function randomHeaders(random: Random, wallet: Wallet): RandomRequest['headers'] {
  const headers: (readonly [string, string])[] = []
  const add = (probability: number, name: string, value: () => string) => {
    if (random.chance(probability)) headers.push([name, value()])
  }
  add(0.98, 'Host', () => (random.chance(0.97) ? 'localhost' : random.pick(['', '[', 'a b', 'x:99999'])))
  add(0.8, 'Accept', () => (random.chance(0.85) ? 'text/event-stream' : random.pick(ACCEPTS)))
  add(0.4, 'Cookie', () => wallet.cookie(random))
  add(0.6, 'Authorization', () => `Bearer ${wallet.token(random)}`)
  add(0.02, 'Authorization', () => random.pick(['Bearer', 'bearer a b', 'Bearer \u00ff', 'Digest x']))
  add(0.3, 'Last-Event-ID', () => wallet.cursor(random))
  add(0.2, 'Origin', () => random.pick(ORIGINS))
  add(0.2, 'Sec-Fetch-Site', () => random.pick(SITES))
  add(0.9, 'X-Forwarded-For', () => `${random.pick(ADDRESSES)}${random.between(0, 8)}`)
  add(0.3, 'X-Forwarded-Proto', () => random.pick(['https', 'https', 'http', '<']))
  add(0.95, 'X-Plan', () => `${random.pick(PLAN_NAMES)}/${random.between(0, 1_000)}`)
  if (random.chance(0.1)) headers.push(random.pick(ODDITIES))
  return headers
}

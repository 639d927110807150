import { Redis, type Cluster } from 'ioredis'
import { invalid } from '../../options.ts'

/**
 * What the types of all clients of ioredis 5 and 6 have in common, for one Redis, for Sentinels or for a Cluster. Two
 * copies of ioredis in one project have types that do not fit each other, and so have clients with another `replyMapping`.
 */
export interface RedisClient {
  readonly status: string
  readonly options: object
  readonly isCluster: boolean
  duplicate(...args: never[]): unknown
  defineCommand(name: string, definition: { lua: string; numberOfKeys?: number }): void
}

/**
 * A client of ioredis, of which only the settings are used, and not its `keyPrefix`; or a `redis://` or `rediss://` URL.
 */
export type ClientOrUrl = RedisClient | string

/** The same, checked: a client that is used for its settings only. */
export type Source = Redis | Cluster

const EXPECTED = 'a client of ioredis 5 or 6, or a redis:// or rediss:// URL'
const FORM = '<user>:<password>@<host>:<port>/<number of a database>, percent-encoded'

/** @throws {TypeError} for what is neither a client nor a URL */
export function checkClient(client: unknown): Source {
  if (typeof client === 'string' && /^rediss?:\/\//.test(client)) return checkUrl(client)
  if (!isClient(client)) throw invalid('client', EXPECTED, client)
  if (!isOutdated(client)) return client
  throw new TypeError(`\`client\` was made by ioredis 4, which koa-redis brings along; it must be ${EXPECTED}`)
}

export function isCluster(client: Redis | Cluster): client is Cluster {
  return client.isCluster
}

function checkUrl(url: string): Redis {
  const client = clientOf(url)
  if (client === undefined) throw invalid('client', `${EXPECTED} of the form ${FORM}`, url)
  return client
}

function clientOf(url: string): Redis | undefined {
  try {
    const client = new Redis(url, { lazyConnect: true })
    // Of a path that only begins with a number, ioredis takes that.
    return /^\/?\d*$/.test(new URL(url).pathname) && hasNumbers(client) ? client : undefined
  } catch {
    // What was thrown shows the URL, and with it a password.
    return undefined
  }
}

// The query of a URL may name these too, and what is no number becomes NaN.
function hasNumbers({ options: { port = 0, db = 0 } }: Redis): boolean {
  return port > 0 && Number.isSafeInteger(port) && Number.isSafeInteger(db)
}

// Not by `instanceof`: the application may well have another copy of ioredis than this package.
function isClient(client: unknown): client is Redis | Cluster {
  if (typeof client !== 'object' || client === null) return false
  return ['duplicate', 'defineCommand', 'ssubscribe'].every(name => typeof Reflect.get(client, name) === 'function')
}

// Clients of ioredis 4 have the same methods; this is what only they have, whether of a Cluster or not.
function isOutdated(client: Redis | Cluster): boolean {
  return '_addedScriptHashes' in client
}

/** How the log publishes: sharded on a Cluster. */
export type PublishCommand = 'PUBLISH' | 'SPUBLISH'

import { Redis, type Cluster } from 'ioredis'
import { invalid } from '../../options.ts'

/**
 * The common part of the types of all ioredis 5 and 6 clients, for a single Redis, Sentinels or a Cluster. The types of
 * two copies of ioredis in one project are incompatible, and so are those of clients with another `replyMapping`.
 */
export interface RedisClient {
  readonly status: string
  readonly options: object
  readonly isCluster: boolean
  duplicate(...args: never[]): unknown
  defineCommand(name: string, definition: { lua: string; numberOfKeys?: number }): void
}

/**
 * An ioredis client, of which only the settings are used, and not its `keyPrefix`; or a `redis://` or `rediss://` URL.
 */
export type ClientOrUrl = RedisClient | string

/** The same, checked: a client used for its settings only. */
export type Source = Redis | Cluster

const EXPECTED = 'an ioredis 5 or 6 client, or a redis:// or rediss:// URL'
const FORM = '<user>:<password>@<host>:<port>/<database number>, percent-encoded'

/** @throws {TypeError} for anything but a client or a URL */
export function checkClient(client: unknown): Source {
  if (typeof client === 'string' && /^rediss?:\/\//.test(client)) return checkUrl(client)
  if (!isClient(client)) throw invalid('client', EXPECTED, client)
  if (!isOutdated(client)) return client
  throw new TypeError(`\`client\` is an ioredis 4 client (koa-redis depends on that version); it must be ${EXPECTED}`)
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
    // ioredis accepts a path that merely begins with a number.
    return /^\/?\d*$/.test(new URL(url).pathname) && hasNumbers(client) ? client : undefined
  } catch {
    // The error contains the URL, and with it a password.
    return undefined
  }
}

// The query of a URL may set these too; ioredis turns invalid numbers into NaN.
function hasNumbers({ options: { port = 0, db = 0 } }: Redis): boolean {
  return port > 0 && Number.isSafeInteger(port) && Number.isSafeInteger(db)
}

// Not `instanceof`: the application may use another copy of ioredis.
function isClient(client: unknown): client is Redis | Cluster {
  if (typeof client !== 'object' || client === null) return false
  return ['duplicate', 'defineCommand', 'ssubscribe'].every(name => typeof Reflect.get(client, name) === 'function')
}

// Clients of ioredis 4 have the same methods; only they have this property, for a Cluster or not.
function isOutdated(client: Redis | Cluster): boolean {
  return '_addedScriptHashes' in client
}

/** The command the log publishes with: sharded on a Cluster. */
export type PublishCommand = 'PUBLISH' | 'SPUBLISH'

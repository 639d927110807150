import { createPrivateKey, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto'

export interface Config {
  /** 0 takes any free port. */
  readonly port: number
  /** Where metrics are served to this machine; 0 takes any free port. Without it there are none. */
  readonly metricsPort?: number
  /** Sign the session cookie; the first signs, all verify. */
  readonly sessionKeys: readonly string[]
  /** P-256; signs the API's tokens with ES256. */
  readonly tokenKey: KeyObject
  /** What several processes of the site share: sessions and events. Without it, all is in this process. */
  readonly redisUrl?: string
  /** Other sites whose pages may call the API. */
  readonly apiOrigins: readonly string[]
  /** Whether a proxy in front of the site says who asks (`X-Forwarded-For`) and how (`X-Forwarded-Proto`). */
  readonly behindProxy: boolean
  /** Whether the site is served over TLS alone: secure cookies, HSTS, and no stream without it. */
  readonly https: boolean
}

/** Characters of a key that signs cookies, at least: 192 random bits as base64url, or 128 in hexadecimal. */
const SHORTEST_KEY = 32

/**
 * Reads the configuration from environment variables, which `README.md` lists.
 * Keys that are not given are made up, so a restart logs everybody out; production must give them.
 *
 * @throws {Error} that names the variable
 */
export function readConfig(env: NodeJS.ProcessEnv = process.env): Config {
  if (env.NODE_ENV === 'production') {
    for (const name of ['SESSION_KEYS', 'TOKEN_KEY']) if (!env[name]) throw new Error(`${name} is not set`)
  }
  const behindProxy = flag('BEHIND_PROXY', env.BEHIND_PROXY)
  const https = flag('HTTPS', env.HTTPS)
  // This server speaks no TLS: without a proxy whose word counts every request would look insecure.
  if (https && !behindProxy)
    throw new Error('HTTPS=1 needs a proxy that speaks TLS in front of the site, and BEHIND_PROXY=1')
  return {
    port: readPort('PORT', env.PORT ?? '3000'),
    sessionKeys: readSessionKeys(env.SESSION_KEYS),
    tokenKey: readTokenKey(env.TOKEN_KEY),
    apiOrigins: list(env.API_ORIGINS ?? ''),
    behindProxy,
    https,
    ...(env.METRICS_PORT && { metricsPort: readPort('METRICS_PORT', env.METRICS_PORT) }),
    ...(env.REDIS_URL && { redisUrl: env.REDIS_URL }),
  }
}

function readPort(name: string, value: string): number {
  const port = Number(value)
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new Error(`${name} is not a port number`)
  return port
}

function readSessionKeys(value: string | undefined): string[] {
  if (!value) return [randomBytes(32).toString('base64url')]
  const keys = list(value)
  if (keys.length === 0 || keys.some(key => key.length < SHORTEST_KEY)) {
    throw new Error(
      `SESSION_KEYS must be keys of at least ${SHORTEST_KEY} characters, such as \`openssl rand -base64 32\` makes`,
    )
  }
  return keys
}

function readTokenKey(value: string | undefined): KeyObject {
  if (!value) return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  const key = privateKeyOf(value)
  if (key?.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw new Error('TOKEN_KEY must be a private key on the curve P-256, as PEM')
  }
  return key
}

// What OpenSSL says of a key that it cannot read is of no use to anybody, and no cause to show the key.
function privateKeyOf(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem)
  } catch {
    return undefined
  }
}

function flag(name: string, value = ''): boolean {
  if (value !== '' && value !== '0' && value !== '1') throw new Error(`${name} is 1 or 0`)
  return value === '1'
}

function list(value: string): string[] {
  return value.split(',').flatMap(item => item.trim() || [])
}

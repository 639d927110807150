import { createPrivateKey, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto'

export interface Config {
  /** 0 takes any free port. */
  readonly port: number
  /** Sign the session cookie; the first signs, all verify. */
  readonly sessionKeys: readonly string[]
  /** P-256; signs the API's tokens with ES256. */
  readonly tokenKey: KeyObject
  /** What several processes of the site share: sessions and events. Without it, all is in this process. */
  readonly redisUrl?: string
  /** Other sites whose pages may call the API. */
  readonly apiOrigins: readonly string[]
  /** Whether the site is served over TLS, by a proxy in front of it. */
  readonly https: boolean
}

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
  return {
    port: readPort(env.PORT),
    sessionKeys: list(env.SESSION_KEYS ?? randomBytes(32).toString('base64url')),
    tokenKey: env.TOKEN_KEY
      ? createPrivateKey(env.TOKEN_KEY)
      : generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
    apiOrigins: list(env.API_ORIGINS ?? ''),
    https: env.HTTPS === '1',
    ...(env.REDIS_URL && { redisUrl: env.REDIS_URL }),
  }
}

function readPort(value = '3000'): number {
  const port = Number(value)
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new Error('PORT is not a port number')
  return port
}

function list(value: string): string[] {
  return value.split(',').flatMap(item => item.trim() || [])
}

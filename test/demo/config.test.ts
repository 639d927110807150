import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import test from 'ava'
import { readConfig } from '../../demo/config.ts'

const [NEW, OLD] = ['new'.padEnd(32, 'k'), 'old'.padEnd(32, 'k')]
const pem = (key: KeyObject) => key.export({ type: 'pkcs8', format: 'pem' }).toString()

test('without any variable there are fresh keys, and nothing outside the process', t => {
  const config = readConfig({})
  t.like(config, { port: 3000, apiOrigins: [], behindProxy: false, https: false })
  t.is(config.redisUrl, undefined)
  t.notDeepEqual(config.sessionKeys, readConfig({}).sessionKeys)
})

test('variables are read', t => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const config = readConfig({
    PORT: '0',
    SESSION_KEYS: `${NEW}, ${OLD},`,
    TOKEN_KEY: pem(privateKey),
    API_ORIGINS: 'https://one.example,https://two.example',
    REDIS_URL: 'redis://localhost',
    BEHIND_PROXY: '1',
    HTTPS: '1',
  })
  t.like(config, {
    port: 0,
    sessionKeys: [NEW, OLD],
    apiOrigins: ['https://one.example', 'https://two.example'],
    redisUrl: 'redis://localhost',
    behindProxy: true,
    https: true,
  })
  t.true(config.tokenKey.equals(privateKey))
})

test('a wrong variable is named', t => {
  for (const PORT of ['-1', '65536', '80.5', 'http']) t.throws(() => readConfig({ PORT }), { message: /PORT/ })
  for (const SESSION_KEYS of ['short', ',', `${NEW},short`]) {
    t.throws(() => readConfig({ SESSION_KEYS }), { message: /SESSION_KEYS/ })
  }
  const others = [
    generateKeyPairSync('ec', { namedCurve: 'P-384' }),
    generateKeyPairSync('rsa', { modulusLength: 2_048 }),
    generateKeyPairSync('ed25519'),
  ]
  for (const TOKEN_KEY of ['a key', ...others.map(({ privateKey }) => pem(privateKey))]) {
    const error = t.throws(() => readConfig({ TOKEN_KEY }), { message: /TOKEN_KEY/ })
    t.is(error.cause, undefined)
  }
  for (const value of ['yes', 'true', ' ']) {
    t.throws(() => readConfig({ HTTPS: value }), { message: /HTTPS/ })
    t.throws(() => readConfig({ BEHIND_PROXY: value }), { message: /BEHIND_PROXY/ })
  }
  t.throws(() => readConfig({ HTTPS: '1' }), { message: /BEHIND_PROXY/ })
  t.throws(() => readConfig({ NODE_ENV: 'production' }), { message: /SESSION_KEYS/ })
  t.throws(() => readConfig({ NODE_ENV: 'production', SESSION_KEYS: NEW }), { message: /TOKEN_KEY/ })
})

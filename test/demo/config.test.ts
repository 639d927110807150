import { generateKeyPairSync } from 'node:crypto'
import test from 'ava'
import { readConfig } from '../../demo/config.ts'

test('without any variable there are fresh keys, and nothing outside the process', t => {
  const config = readConfig({})
  t.like(config, { port: 3000, apiOrigins: [], https: false })
  t.is(config.redisUrl, undefined)
  t.notDeepEqual(config.sessionKeys, readConfig({}).sessionKeys)
})

test('variables are read', t => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const config = readConfig({
    PORT: '0',
    SESSION_KEYS: 'new, old,',
    TOKEN_KEY: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    API_ORIGINS: 'https://one.example,https://two.example',
    REDIS_URL: 'redis://localhost',
    HTTPS: '1',
  })
  t.like(config, {
    port: 0,
    sessionKeys: ['new', 'old'],
    apiOrigins: ['https://one.example', 'https://two.example'],
    redisUrl: 'redis://localhost',
    https: true,
  })
  t.true(config.tokenKey.equals(privateKey))
})

test('a wrong variable is named', t => {
  for (const PORT of ['-1', '65536', '80.5', 'http']) t.throws(() => readConfig({ PORT }), { message: /PORT/ })
  t.throws(() => readConfig({ NODE_ENV: 'production' }), { message: /SESSION_KEYS/ })
  t.throws(() => readConfig({ NODE_ENV: 'production', SESSION_KEYS: 'x' }), { message: /TOKEN_KEY/ })
})

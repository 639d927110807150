import { inspect } from 'node:util'
import test from 'ava'
import fc from 'fast-check'
import { AuthenticationError } from 'koa-event-stream'
import { EventStreamError } from '../lib/errors.ts'
import { safeError } from '../lib/safe-error.ts'

/** Everything that a logger may come to see of an error. */
function shown(error: unknown): string {
  return [inspect(error, { depth: Infinity, showHidden: true }), JSON.stringify(error), (error as Error).stack].join(
    '\n',
  )
}

const KEY = 'session:3b8ad6f6-54c7-4f2c-9f2e-0d3c5f1b7a90'

test('what a client of Redis says of a failed command goes on without the command', t => {
  const error = Object.assign(
    new Error("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."),
    {
      name: 'ReplyError',
      command: { name: 'get', args: [KEY] },
    },
  )
  const safe = safeError(error)
  t.is(safe.name, 'ReplyError')
  t.is(safe.message, error.message)
  t.deepEqual(Object.keys(safe), [])
  t.regex(safe.stack ?? '', /^ReplyError: MASTERDOWN .*\n +at /)
  t.false(shown(safe).includes(KEY))
})

test('the code of a network error goes on, and its causes do, made safe', t => {
  const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:6379'), {
    code: 'ECONNREFUSED',
    address: 'x',
  })
  const request = { headers: { authorization: 'Bearer secret-of-the-request' } }
  const safe = safeError(Object.assign(new TypeError('fetch failed', { cause: refused }), { request }))
  t.true(safe instanceof TypeError)
  t.like(safe, {
    message: 'fetch failed',
    cause: { code: 'ECONNREFUSED', message: 'connect ECONNREFUSED 127.0.0.1:6379' },
  })
  t.notRegex(shown(safe), /secret|address/)
})

test('known secrets are hidden, in the stack too, the longer ones first', t => {
  const safe = safeError(new Error('no session ada-key for ada-key-2'), ['ada-key', 'ada-key-2', '', undefined, 'no'])
  t.is(safe.message, 'no session [hidden] for [hidden]')
  t.false(shown(safe).includes('ada-key'))
})

test('what looks like a key or a token is hidden, and words are not', t => {
  for (const [message, expected] of [
    [`GET ${KEY} failed`, 'GET session:[hidden] failed'],
    ['bad token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.AbCd_ef-12345', 'bad token [hidden].[hidden].[hidden]'],
    ['key AbCdEfGhIjKlMnOpQrStUvWx is gone', 'key [hidden] is gone'],
    ['account DE89370400440532013000', 'account [hidden]'],
    ['timed out after 10000 ms', 'timed out after 10000 ms'],
    [
      "Cannot read properties of undefined (reading 'permissions')",
      "Cannot read properties of undefined (reading 'permissions')",
    ],
  ] as const) {
    t.is(safeError(new Error(message)).message, expected)
  }
})

test('what JSON.parse says is left out, since it quotes', t => {
  for (const text of ['{"iban":"DE1"} x', 'ada: secret']) {
    const error = t.throws(() => JSON.parse(text))
    t.notRegex(shown(safeError(error)), /DE1|ada|secret/)
  }
})

test('an error that Koa is to answer keeps what it is answered with', t => {
  const error = Object.assign(new Error('no entry'), { status: 403, expose: true, headers: { 'x-a': '1' }, user: KEY })
  t.like(safeError(error), { message: 'no entry', status: 403, expose: true, headers: { 'x-a': '1' } })
  t.false(shown(safeError(error)).includes(KEY))
  const answered = Object.assign(new Error('no'), { status: 401, headers: { 'set-cookie': KEY } })
  t.false('headers' in safeError(answered), 'of the answer of another server')
})

test('an error of this package stays itself, with a safe cause', t => {
  const cause = Object.assign(new Error('down'), { command: { args: [KEY] } })
  const error = new AuthenticationError('rejected', 'no session ada-key', { cause, challenge: 'X' })
  const safe = safeError(error, ['ada-key'])
  t.is(safe, error)
  t.like(safe, { status: 401, challenge: 'X', message: 'no session [hidden]', cause: { message: 'down' } })
  t.notRegex(shown(safe), /ada-key|3b8ad6f6/)
})

test('whatever else is thrown becomes an error that shows nothing', t => {
  const hostile = new Error('x')
  Object.defineProperty(hostile, 'message', {
    get() {
      throw new Error(KEY)
    },
  })
  const revoked = Proxy.revocable({}, {})
  revoked.revoke()
  const nobody = new Proxy(
    {},
    {
      getPrototypeOf() {
        throw new Error(KEY)
      },
    },
  )
  for (const thrown of [
    KEY,
    { key: KEY },
    revoked.proxy,
    nobody,
    null,
    undefined,
    7,
    hostile,
    Object.freeze(new AuthenticationError('rejected', KEY)),
  ]) {
    const safe = safeError(thrown, [KEY])
    t.true(safe instanceof Error)
    t.false(shown(safe).includes(KEY))
  }
})

test('a circle of causes ends', t => {
  const error = new Error('a')
  error.cause = error
  t.regex(shown(safeError(error)), /Error: a/)
})

test('what somebody has put on an error of this package goes nowhere', t => {
  const error = new EventStreamError('ERR_BROKER', 'introspection failed')
  const request = { headers: { authorization: 'Bearer token-token' } }
  const safe = safeError(Object.assign(error, { request, status: 503, challenge: 'Bearer' }))
  t.is(safe, error)
  t.like(safe, { status: 503, code: 'ERR_BROKER', challenge: 'Bearer' })
  t.false(inspect(safe, { depth: 9 }).includes('token-token'))
  const frozen = safeError(Object.freeze(Object.assign(new EventStreamError('ERR_BROKER', 'gone'), { request })))
  t.like(frozen, { code: 'ERR_BROKER', message: 'gone' })
  t.false(inspect(frozen, { depth: 9 }).includes('token-token'))
})

test('what stands behind the message is read as a place only where it is one', t => {
  const error = new Error(`x\n    at key ${KEY}`)
  t.is(safeError(error).message, 'x\n    at key session:[hidden]')
  t.false(shown(safeError(error)).includes(KEY))
  const own = new AuthenticationError('unavailable', `GET ${KEY} failed`)
  t.true((own.stack ?? '').includes(KEY))
  own.message = 'the store failed'
  t.false(shown(safeError(own)).includes(KEY))
  t.regex(safeError(own).stack ?? '', /^AuthenticationError: the store failed\n +at /)
})

test('names and codes are cleaned, of errors of this package too', t => {
  const key = 'a1b2c3d4e5f6a7b8'
  for (const change of [{ name: key }, { code: key }, { code: `ERR_${key}` }]) {
    const [key = ''] = Object.values(change)
    for (const error of [new Error('x'), new AuthenticationError('unavailable', 'x')]) {
      const safe = safeError(Object.assign(error, change), [key])
      t.false(shown(safe).includes(key))
      t.is(safe instanceof AuthenticationError, error instanceof AuthenticationError)
    }
  }
  for (const kept of [
    { code: 'ERR_HTTP2_STREAM_ERROR' },
    { code: '23505' },
    { code: 11000 },
    { name: 'S3ServiceException' },
  ]) {
    t.like(safeError(Object.assign(new Error('x'), kept)), kept)
  }
})

test('an error of this package that is as it should be stays as it is, also a frozen one', t => {
  const error = new AuthenticationError('rejected', 'the token has expired')
  const { stack } = error
  t.is(safeError(Object.freeze(error)), error)
  t.is(error.stack, stack)
  t.is(safeError(new AuthenticationError('unavailable', `GET ${KEY} failed`)).message, 'GET session:[hidden] failed')
})

test('what is put in place of secrets is not looked at again', t => {
  const pieces = ['token', ...Array.from({ length: 40 }, () => ['idde', 'h[hi', 'dden']).flat()]
  t.is(safeError(new Error('the token is none'), pieces).message, 'the [hidden] is none')
  t.is(safeError(new Error('the token is none'), ['token', '[hidden] is']).message, '[hidden]')
})

test('secrets that overlap are hidden as a whole', t => {
  t.is(safeError(new Error('key abcdefghijklmnop!'), ['abcdefgh', 'ghijklmnop']).message, 'key [hidden]!')
})

test('a long message is cut, and what is cut shows no beginning of a secret', t => {
  const secret = 'a secret with spaces in it'.repeat(10)
  const safe = safeError(new Error(`${'x '.repeat(2_040)}${secret} y`), [secret])
  t.is(safe.message.length, 4_080 + '[hidden]…'.length)
  t.true(safe.message.endsWith('x [hidden]…'))
  t.true(safeError(new Error('x '.repeat(1_000_000))).message.length < 5_000)
  const long = 'z'.repeat(10_000)
  t.is(safeError(new Error(`GET ${long} failed`), [long]).message, 'GET [hidden]…')
})

test('of more secrets than anybody can look for nothing is told', t => {
  const many = Array.from({ length: 5_000 }, (_, n) => `secret ${n}`)
  t.is(safeError(new Error('connect to db'), many).message, '[hidden]')
})

test('whatever the secrets are, none shows, and nothing grows beyond twice its length', t => {
  // Few letters, so that secrets overlap, and those of what is put in.
  const letters = fc.string({
    unit: fc.constantFrom('a', 'b', '[', ']', 'h', 'i', 'd', 'e', 'n', ' ', '.', '\n'),
    maxLength: 40,
  })
  const pieces = fc.array(
    fc.oneof(letters, fc.string(), fc.constantFrom('[hidden]', 'hidden]', 'x[hid', '$&', '(?:')),
    {
      maxLength: 12,
    },
  )
  fc.assert(
    fc.property(pieces, fc.array(fc.oneof(letters, fc.string()), { maxLength: 8 }), fc.nat(), (secrets, words, n) => {
      // Each secret stands in the text at least once.
      const order = [...secrets, ...words].map((word, at) => ({ word, by: ((at + 1) * (n + 7)) % 13 }))
      const text = order
        .sort((a, b) => a.by - b.by)
        .map(({ word }) => word)
        .join('')
      const { message } = safeError(new Error(text), secrets)
      const count = secrets.filter(secret => secret.length >= 4 && !'[hidden]'.includes(secret))
      t.true(message.length <= Math.max(8, 2 * text.length))
      for (const secret of count) t.false(message.includes(secret), JSON.stringify({ secret, text, message }))
    }),
    { numRuns: 2_000 },
  )
})

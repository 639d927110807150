import test from 'ava'
import { stateUser } from 'koa-event-stream'

const identify = () => undefined

test('a wrong option is an error at start-up that names it', t => {
  const wrong: [string, Record<string, unknown>][] = [
    ['identify', {}],
    ['identify', { identify: 'sub' }],
    ['property', { identify, property: '' }],
    ['ambient', { identify, ambient: 'no' }],
    ['holds', { identify, holds: true }],
    ['revalidate', { identify, holds: identify, revalidate: 0 }],
    ['revalidate', { identify, revalidate: 30_000 }],
    ['grace', { identify, holds: identify, grace: -1 }],
    ['grace', { identify, grace: 0 }],
    ['realm', { identify, realm: 'a\r\nSet-Cookie: b' }],
    ['user', { identify, user: 'user' }],
  ]
  for (const [name, options] of wrong) {
    t.throws(() => stateUser(options as never), { instanceOf: TypeError, message: new RegExp(`\`${name}\``) }, name)
  }
})

test('the compiler checks what an annotated identify answers, and lets an untyped user be', t => {
  t.notThrows(() => stateUser({ identify: user => user.name && { id: user.name } }))
  t.notThrows(() => stateUser({ identify: async (name: string) => ({ id: name }) }))
  t.notThrows(() =>
    stateUser({
      identify: (user: { sub: string; exp: number; jti?: string }) => ({
        id: user.sub,
        expiresAt: user.exp * 1_000,
        token: user.jti,
      }),
    }),
  )
  // @ts-expect-error: a holder has an `id`
  t.notThrows(() => stateUser({ identify: (user: { sub: string }) => ({ sub: user.sub }) }))
})

test('the compiler lets a user have no end, since `holds` may tell', t => {
  t.notThrows(() => stateUser({ identify: (name: string) => ({ id: name }), holds: () => true }))
})

test('it counts as a cookie unless told otherwise', t => {
  t.like(stateUser({ identify, realm: 'shop' }), { scheme: 'user', ambient: true, challenge: 'Cookie realm="shop"' })
  t.like(stateUser({ identify, ambient: false }), { ambient: false, challenge: 'Bearer realm="events"' })
})

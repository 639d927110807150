import jwt from 'jsonwebtoken'
import koaJwt from 'koa-jwt'
import passport from 'koa-passport'
import session from 'koa-session'
import { Strategy as BearerStrategy } from 'passport-http-bearer'
import { stateUser, watchSessions } from 'koa-event-stream'
import { CountingStore } from '../../auth/session/site.ts'
import { SECRET } from '../../auth/jwt/keys.ts'
import type { Neighbour } from '../neighbour.ts'

interface Claims {
  readonly sub: string
  readonly exp: number
  readonly jti: string
}

interface User {
  readonly name: string
}

const HOUR = 3_600

/** Middleware that verifies who is calling, whose word is taken by `stateUser()`. */
export const users: readonly Neighbour[] = [
  {
    packages: ['koa-jwt'],
    how: 'through `stateUser()`',
    note: 'Give `expiresAt` and `token`: koa-jwt looks at a token once',
    arrange: ({ hub }) => {
      const token = jwt.sign({}, SECRET, { subject: 'ann', jwtid: 'a-jti', expiresIn: HOUR })
      return {
        before: [koaJwt({ secret: SECRET, algorithms: ['HS256'] })],
        authenticate: stateUser({
          identify: ({ sub, exp, jti }: Claims) => ({ id: sub, expiresAt: exp * 1_000, token: jti }),
          ambient: false,
        }),
        headers: { authorization: `Bearer ${token}` },
        proves: async ({ t, open, isEmpty }) => {
          t.is((await open({ authorization: 'Bearer forged' })).status, 401)
          const stream = await open()
          await hub.revoke('a-jti', Date.now() + HOUR * 1_000)
          await isEmpty()
          t.is(await stream.closed, 'end')
          t.is((await open()).status, 401)
        },
      }
    },
  },
  {
    packages: ['koa-passport', 'passport-http-bearer'],
    how: 'through `stateUser()`',
    note: 'Say when the login ends, by `expiresAt` or `holds`',
    arrange: () => {
      const authority = new passport.KoaPassport()
      authority.use(new BearerStrategy((token, done) => done(null, token === 'of-ann' && { name: 'ann' })))
      return {
        before: [authority.initialize(), authority.authenticate('bearer', { session: false })],
        authenticate: stateUser({ identify: ({ name }: User) => ({ id: name }), holds: () => true, ambient: false }),
        headers: { authorization: 'Bearer of-ann' },
        proves: async ({ t, open }) => {
          t.is((await open({ authorization: 'Bearer of-eve' })).status, 401)
        },
      }
    },
  },
  {
    packages: ['koa-passport', 'koa-session'],
    how: 'through `stateUser()`',
    note: 'With `session: ctx.session.externalKey` and `watchSessions()`, `ctx.logout()` closes the streams',
    arrange: ({ Koa, hub }) => {
      const app = new Koa()
      app.keys = ['a key to sign cookies with']
      const authority = new passport.KoaPassport()
      authority.serializeUser<string>(({ name }: Partial<User>, done) => done(null, name))
      authority.deserializeUser<string>((name, done) => done(null, { name }))
      return {
        app,
        before: [
          session({ store: watchSessions(new CountingStore(), hub) }, app),
          authority.initialize(),
          authority.session(),
          async (ctx, next) => {
            if (ctx.path === '/login') await ctx.login({ name: 'ann' })
            if (ctx.path === '/logout') await ctx.logout()
            await next()
          },
        ],
        authenticate: stateUser({
          identify: ({ name }: User, ctx) => ({ id: name, session: ctx.session.externalKey }),
        }),
        headers: {},
        login: '/login',
        proves: async ({ t, open, get, isEmpty }) => {
          t.is((await open({ origin: 'https://foreign.example' })).status, 403)
          const stream = await open()
          await get('/logout')
          await isEmpty()
          t.is(await stream.closed, 'end')
          t.is((await open()).status, 401)
        },
      }
    },
  },
]

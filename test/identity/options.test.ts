import test from 'ava'
import { createHub, requireIdentity, urlTicket } from 'koa-event-stream'
import { byName } from '../koa/endpoint.ts'

const hub = createHub()

for (const [title, options, message] of [
  ['no hub', { authenticate: byName }, /`hub` must be a hub/],
  ['no authenticator', { hub }, /`authenticate` is missing/],
  ['an empty list', { hub, authenticate: [] }, /`authenticate` is an empty list/],
  ['a route for everybody', { hub, authenticate: false }, /`authenticate` must be an authenticator/],
  ['a function', { hub, authenticate: () => undefined }, /`authenticate` must be an authenticator/],
  [
    'tickets',
    { hub, authenticate: [byName, urlTicket({ hub, audience: 'a', authenticate: byName })] },
    /`authenticate` must not take tickets/,
  ],
  ['any origin', { hub, authenticate: byName, origins: ['*'] }, /`origins` must list origins/],
  ['a word for a flag', { hub, authenticate: byName, requireSecure: 'yes' }, /`requireSecure` must be true or false/],
  ['no time', { hub, authenticate: byName, limits: { timeout: 0 } }, /`limits\.timeout` must be whole milliseconds/],
  ['no limiter', { hub, authenticate: byName, limits: { rate: { identity: 3 } } }, /`limits\.rate\.identity` must be/],
  ['a limit of streams', { hub, authenticate: byName, limits: { identity: 3 } }, /`limits` has no option `identity`/],
  ['no function', { hub, authenticate: byName, refuse: '/login' }, /`refuse` must be a function/],
  ['a misspelt option', { hub, authenticate: byName, orgins: [] }, /`requireIdentity` has no option `orgins`/],
] as const) {
  test(`a wrong option is refused at start-up: ${title}`, t => {
    t.throws(() => requireIdentity(options as unknown as Parameters<typeof requireIdentity>[0]), {
      instanceOf: TypeError,
      message,
    })
  })
}

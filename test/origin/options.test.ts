import test from 'ava'
import { createHub, eventStream, sessionCookie } from 'koa-event-stream'

const mount = (origins: unknown) =>
  eventStream({
    hub: createHub(),
    authenticate: sessionCookie({ identify: () => undefined }),
    subscribe: () => 'news',
    origins: origins as string[],
  })

test('origins are scheme, host and port, and anything wider or vaguer is an error at start-up', t => {
  t.notThrows(() => mount([]))
  t.notThrows(() => mount(['https://app.example.com', 'http://localhost:8080', 'http://[::1]:8080']))
  for (const origin of [
    '*',
    'null',
    null,
    '',
    'https://*',
    'https://*.example.com',
    'https://app.example.com/path',
    'https://app.example.com?query',
    'https://app.example.com#fragment',
    'https://user@app.example.com',
    'https://app.example.com:443',
    'HTTPS://app.example.com',
    'https://APP.example.com',
    'app.example.com',
    '//app.example.com',
    'file://',
    'about:blank',
    'chrome-extension://abc',
    /example\.com$/,
    () => true,
  ]) {
    t.throws(() => mount([origin]), { instanceOf: TypeError, message: /`origins`/ }, String(origin))
  }
  for (const origins of ['https://app.example.com', '*', true, {}]) {
    t.throws(() => mount(origins), { instanceOf: TypeError, message: /`origins`/ }, JSON.stringify(origins))
  }
})

import { inspect } from 'node:util'
import test from 'ava'
import type { Context } from 'koa'
import type { Hub } from 'koa-event-stream'
import { openApi } from './api.ts'

/** Everything that an operator may come to see of an object, hidden properties left out as a logger leaves them. */
function logged(...things: unknown[]): string {
  return things.map(thing => inspect(thing, { depth: Infinity, maxArrayLength: null, maxStringLength: null })).join()
}

/** Everything that a hub tells: its events, as they are logged, and its numbers. */
function record(hub: Hub): () => string {
  const lines: string[] = []
  for (const name of ['open', 'close', 'refuse', 'fault', 'gap'] as const) {
    hub.on(name, (...told: unknown[]) => lines.push(logged(name, ...told)))
  }
  return () => [...lines, JSON.stringify(hub.stats())].join('\n')
}

test('a token shows nowhere, whatever becomes of it', async t => {
  const written: string[] = []
  for (const stream of [process.stdout, process.stderr]) {
    const write = stream.write.bind(stream)
    stream.write = (chunk: unknown, ...rest: never[]) => {
      written.push(String(chunk))
      return write(chunk as string, ...rest)
    }
    t.teardown(() => (stream.write = write))
  }
  const urls: string[] = []
  const outer = async (ctx: Context, next: () => Promise<void>) => {
    await next()
    urls.push(ctx.url, ctx.originalUrl, ctx.href)
  }
  const { hub, open, token, clock, errors } = await openApi(t, {
    outer,
    bearer: { scope: 'read', identify: ({ sub }) => (sub === 'broken' ? { id: NaN } : sub && { id: sub }) },
    stream: {
      subscribe: ({ identity }) => {
        if (identity.id === 'eve') throw new Error('the database is down')
        return 'news'
      },
    },
  })
  const told = record(hub)
  const good = { scope: 'read', jti: 'a' }
  const tokens = [
    token(good),
    token({ ...good, exp: 1 }),
    token({ ...good, aud: 'https://elsewhere.example' }),
    token({ ...good, scope: 'write' }),
    token({ ...good, sub: 'broken' }),
    token({ ...good, sub: 'eve' }),
    `${token(good)}x`,
    `${token(good)}!`,
    `x${token(good)}`,
  ]
  const received: string[] = []
  const [opened, ...refused] = await Promise.all(tokens.map(credentials => open(credentials)))
  t.deepEqual(
    refused.map(({ status }) => status),
    [401, 401, 403, 500, 500, 401, 400, 401],
  )
  for (const response of refused) received.push(await response.text(), logged(response.headers))
  await hub.revoke('a', clock.now() + 60_000)
  await opened?.closed
  received.push((await opened?.text()) ?? '', logged(opened?.headers))

  const seen = [told(), logged(errors), ...received, ...urls, ...written].join('\n')
  for (const credentials of tokens) {
    for (const part of credentials.split('.').filter(part => part !== '')) {
      // The header is the same for all, and no secret.
      if (!/^x?eyJhbGciOiJIUzI1NiJ9$/.test(part)) t.false(seen.includes(part), part)
    }
  }
  t.deepEqual(
    errors.splice(0).map(error => (error as Error).message),
    ['`identify` must return an `id` that is a non-empty string or an integer', 'the database is down'],
  )
})

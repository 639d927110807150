import { openEndpoint } from './endpoint.ts'
import { onEveryKoa } from './every-koa.ts'

const ACCEPTED = [
  'text/event-stream; charset=utf-8',
  'text/event-stream;q=0.1',
  'text/*',
  '*/*;q=0.1',
  'TEXT/Event-Stream',
]
const REFUSED = ['text/event-stream;q=0', 'text/event-stream; charset=utf-8;q=0', 'text/html', '*/*;q=0']

onEveryKoa('`Accept` is matched as RFC 9110 says, parameters included', async (t, Koa) => {
  const { open } = await openEndpoint(t, {}, { Koa })
  for (const [status, accepts] of [
    [200, ACCEPTED],
    [406, REFUSED],
  ] as const) {
    for (const accept of accepts) {
      const stream = await open({ headers: { accept } })
      t.is(stream.status, status, accept)
      stream.close()
    }
  }
})

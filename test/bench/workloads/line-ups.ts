/** All that send events to many streams. */
export const SENDERS: readonly string[] = [
  'node-http',
  'koa-response',
  'koa-pass-through',
  'better-sse',
  'fastify-sse',
  'nchan',
  'gin',
  'memory',
  'redis',
  'session',
]

/** All that open many streams. better-sse takes time by the square of their number. */
export const OPENERS: readonly string[] = [...SENDERS.filter(name => name !== 'better-sse'), 'token']

/** All that hold many streams open; Redis has no part in that. */
export const HOLDERS: readonly string[] = OPENERS.filter(name => name !== 'redis')

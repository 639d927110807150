import type { Workload } from '../workload.ts'
import type { Contender } from './contender.ts'
import { gin } from './gin.ts'
import { nchan } from './nchan.ts'
import { nginxGzip } from './nginx-gzip.ts'
import { inNode } from './node-process.ts'

/** All servers that are compared. */
export const contenders: readonly Contender[] = [
  inNode('node-http', 'node:http'),
  inNode('koa-response', 'Koa, bare response'),
  inNode('koa-pass-through', 'Koa, PassThrough by hand'),
  inNode('koa-compress', 'PassThrough by hand, koa-compress forced'),
  inNode('better-sse', 'better-sse'),
  inNode('fastify-sse', '@fastify/sse'),
  nchan,
  gin,
  nginxGzip,
  inNode('memory', 'this library, memory'),
  inNode('gzip', 'this library, `compress`'),
  inNode('redis', 'this library, Redis'),
  inNode('session', 'this library, session cookie'),
  inNode('session-redis', 'this library, sessions and log in Redis'),
  inNode('token', 'this library, JWT'),
  inNode('https', 'this library, HTTP/1.1 with TLS'),
  http2(1),
  http2(10),
  http2(100),
]

/** The same server, for clients that have so many streams on a connection. */
function http2(streams: number): Contender {
  const title = `this library, HTTP/2, ${streams} on a connection`
  return { ...inNode('http2', title), name: `http2-${streams}` }
}

/** Those that take part in a workload. `only` are names of contenders; all where left out. */
export function contendersOf(workload: Workload, only?: readonly string[]): Contender[] {
  return contenders.filter(({ name }) => workload.contenders.includes(name) && (only?.includes(name) ?? true))
}

import type { Workload } from '../workload.ts'
import type { Contender } from './contender.ts'
import { gin } from './gin.ts'
import { nchan } from './nchan.ts'
import { inNode } from './node-process.ts'

/** All servers that are compared. */
export const contenders: readonly Contender[] = [
  inNode('node-http', 'node:http'),
  inNode('koa-response', 'Koa, bare response'),
  inNode('koa-pass-through', 'Koa, PassThrough by hand'),
  inNode('better-sse', 'better-sse'),
  inNode('fastify-sse', '@fastify/sse'),
  nchan,
  gin,
  inNode('memory', 'this library, memory'),
  inNode('redis', 'this library, Redis'),
  inNode('session', 'this library, session cookie'),
  inNode('session-redis', 'this library, sessions and log in Redis'),
  inNode('token', 'this library, JWT'),
]

/** Those that take part in a workload. `only` are names of contenders; all where left out. */
export function contendersOf(workload: Workload, only?: readonly string[]): Contender[] {
  return contenders.filter(({ name }) => workload.contenders.includes(name) && (only?.includes(name) ?? true))
}

import type { Application, ApplicationOptions } from '../server/application.ts'

interface Module {
  create(options: ApplicationOptions): Application | Promise<Application>
}

/** The contenders that run in Node. Each is loaded in a process of its own, so that it holds nothing of the others. */
export const applications = {
  'node-http': () => import('./node-http.ts'),
  'koa-response': () => import('./koa-response.ts'),
  'koa-pass-through': () => import('./koa-pass-through.ts'),
  'better-sse': () => import('./better-sse.ts'),
  'fastify-sse': () => import('./fastify-sse.ts'),
  memory: () => import('./memory.ts'),
  gzip: () => import('./gzip.ts'),
  'koa-compress': () => import('./koa-compress.ts'),
  redis: () => import('./redis.ts'),
  session: () => import('./session.ts'),
  'session-redis': () => import('./session-redis.ts'),
  https: async () => ({ create: (await import('./protocols.ts')).https }),
  http2: async () => ({ create: (await import('./protocols.ts')).http2 }),
  token: () => import('./token.ts'),
} satisfies Record<string, () => Promise<Module>>

export type ApplicationName = keyof typeof applications

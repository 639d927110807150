// Packages that come without types: what is used of them here.

declare module 'koa-pino-logger' {
  import type { Middleware } from 'koa'

  export default function pinoLogger(options: object, output: { write(line: string): void }): Middleware
}

declare module 'passport-http-bearer' {
  import { Strategy as Base } from 'passport'

  type Done = (error: unknown, user?: unknown) => void

  export class Strategy extends Base {
    constructor(verify: (token: string, done: Done) => void)
  }
}

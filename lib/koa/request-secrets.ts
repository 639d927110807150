import type { Context } from 'koa'
import type { Identity } from '../auth/identity.ts'
import { allConcealed } from './query-parameter.ts'

/** Everything of a request that opens something to whoever has it: no error may show it. */
export function secretsOf(ctx: Context, identity?: Identity): (string | undefined)[] {
  const [, ...credentials] = ctx.get('authorization').split(/[ \t]+/)
  const cookies = ctx
    .get('cookie')
    .split(';')
    .map(pair => pair.slice(pair.indexOf('=') + 1).trim())
  const values = [...credentials, ...cookies, ...allConcealed(ctx)]
  // The parts of a token, as those who decode it have them.
  const parts = values.flatMap(value => (value.includes('.') ? value.split('.') : []))
  return [...values, ...values.map(decoded), ...parts, identity?.session, identity?.token]
}

function decoded(value: string): string | undefined {
  try {
    return decodeURIComponent(value)
  } catch {
    return undefined
  }
}

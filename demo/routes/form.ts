import type { Context } from 'koa'

/** Whether a script has sent a form, and shows the outcome itself. A browser without scripts is shown a page. */
export function wantsJson(ctx: Context): boolean {
  return ctx.accepts('html', 'json') === 'json'
}

/** One text field of a form or a JSON body; empty where it is missing or something else. */
export function field(ctx: Context, name: string): string {
  const { body } = ctx.request
  if (typeof body !== 'object' || body === null) return ''
  const value: unknown = Reflect.get(body, name)
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}

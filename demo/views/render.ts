import { join } from 'node:path'
import { Eta } from 'eta'
import type { Context } from 'koa'
import { DEMO } from '../folder.ts'
import type { Visitor } from '../middleware/visitor.ts'

const eta = new Eta({ views: join(DEMO, 'views'), cache: true })

const euros = new Intl.NumberFormat('en-IE', { style: 'currency', currency: 'EUR' })

const helpers = {
  /** Cents as euros. */
  money: (cents: number): string => euros.format(cents / 100),
  /** For a `<script>` of that type, which no text may end. */
  json: (value: unknown): string => JSON.stringify(value).replaceAll('<', '\\u003c'),
  iso: (at: number): string => new Date(at).toISOString(),
  time: (at: number): string => new Date(at).toISOString().slice(0, 16).replace('T', ' '),
}

/** Answers with the page `views/<name>.eta`. Whatever the template prints with `<%=` is escaped. */
export function render(ctx: Context, name: string, data: Record<string, unknown> = {}): void {
  const { account, unread, cursor } = ctx.state as Visitor
  ctx.type = 'html'
  ctx.set('Cache-Control', 'no-store')
  ctx.body = eta.render(name, { path: ctx.path, account, unread, cursor, ...helpers, ...data })
}

import type { Context } from 'koa'
import { HTML } from './html.ts'
import { SCRIPT } from './script.ts'
import { STYLE } from './style.ts'

const FILES = {
  'ops.js': { type: 'text/javascript', content: SCRIPT },
  'ops.css': { type: 'text/css', content: STYLE },
} as const

// Nothing inline, nothing from elsewhere, and in nobody's frame: a page around it could have its buttons clicked.
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const HEADERS = Object.freeze({
  'Cache-Control': 'no-store',
  'Content-Security-Policy': POLICY,
  'X-Frame-Options': 'DENY',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'same-origin',
})

export function isFile(name: string): name is keyof typeof FILES {
  return Object.hasOwn(FILES, name)
}

export function sendFile(ctx: Context, name: keyof typeof FILES): void {
  const { type, content } = FILES[name]
  ctx.set(HEADERS)
  ctx.type = type
  ctx.body = content
}

/** Answers with the page. Its addresses are relative, so its own ends with a slash. */
export function sendPage(ctx: Context): void {
  ctx.set(HEADERS)
  const last = lastOf(ctx.originalUrl)
  if (last === '') {
    ctx.type = 'html'
    ctx.body = HTML
    return
  }
  // Relative to where it was asked for, whatever is in front of us.
  ctx.status = 302
  ctx.set('Location', `./${last}/`)
  ctx.body = ''
}

function lastOf(url: string): string {
  const path = url.split(/[?#]/)[0] ?? ''
  return path.slice(path.lastIndexOf('/') + 1)
}

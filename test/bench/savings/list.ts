import type { Saving } from './saving.ts'

/**
 * What is done for streams to take less memory. Each is switched off by itself, and the rest stays on. A saving that
 * others depend on switches them off, too.
 */
export const savings: readonly Saving[] = [
  {
    name: "stopping Koa's pipeline, with all else in koa/lighten.ts",
    patches: [{ file: 'koa/hand-off.js', from: 'lighten(ctx);', to: '' }],
  },
  {
    name: "ending on-finished's watch of the response",
    patches: [{ file: 'koa/lighten.js', from: 'stopWatch(res);', to: '' }],
  },
  {
    name: "laying out the response's head in one piece",
    patches: [{ file: 'koa/lighten.js', from: 'flattenHead(res);', to: '' }],
  },
]

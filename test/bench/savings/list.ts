import type { Saving } from './saving.ts'

/**
 * What is done for streams to take less memory. Each is switched off by itself, and the rest stays on. A saving that
 * others depend on switches them off, too.
 */
export const savings: readonly Saving[] = [
  {
    name: 'dropping the listeners of response and stream, of the pipeline and of on-finished',
    patches: [{ file: 'koa/hand-off.js', from: 'dropResponseListeners(ctx);', to: '' }],
  },
  {
    name: "dropping the listeners of Node's pipeline",
    patches: [{ file: 'koa/response-listeners.js', from: 'onBody.areComplete && onResponse.areComplete', to: 'false' }],
  },
  {
    name: "ending on-finished's watch of the response",
    patches: [{ file: 'koa/response-listeners.js', from: 'stopOnFinished(res);', to: '' }],
  },
  {
    name: "keeping the response's head as one piece of text",
    patches: [{ file: 'stream/http1-sink.js', from: 'flattenHead(this.#response);', to: '' }],
  },
]

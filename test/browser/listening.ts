import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../support/root.ts'
import { ObservedStream } from './observed-stream.ts'
import type { Page } from './page.ts'

const PAGE_SCRIPT = readFileSync(join(ROOT, 'test/browser/page-script.js'), 'utf8')

export interface ListenOptions {
  /** The names to listen for. Default `message`. */
  readonly events?: readonly string[]
  readonly withCredentials?: boolean
}

/** Opens the browser's own EventSource in the page. */
export async function listen(page: Page, url: string, options: ListenOptions = {}): Promise<ObservedStream> {
  const { events = ['message'], withCredentials = false } = options
  return run(page, 'listen', { url, events, withCredentials })
}

/** Posts a question with `fetch`, and observes the answer's `text` as it arrives, and its `end`. */
export async function readAnswer(page: Page, url: string, question: string): Promise<ObservedStream> {
  return run(page, 'readAnswer', { url, question })
}

let streams = 0

async function run(page: Page, script: string, args: object): Promise<ObservedStream> {
  const stream = new ObservedStream()
  const tell = `tell${++streams}`
  await page.expose(tell, stream.observe)
  await page.evaluate(`${PAGE_SCRIPT}; void ${script}(${JSON.stringify({ tell, ...args })})`)
  return stream
}

import { join } from 'node:path'
import test from 'ava'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { launchChromium } from '../support/chromium.ts'
import { PATIENCE } from '../support/progress.ts'
import { ROOT } from '../support/root.ts'
import type { Scope } from '../support/scope.ts'
import { ObservedStream } from './observed-stream.ts'

const PAGE_SCRIPT = join(ROOT, 'test/browser/page-script.js')

/** How many profiles are open at once. More would only slow each other down. */
const MOST_PROFILES = 6

export interface ListenOptions {
  /** The names to listen for. Default `message`. */
  readonly events?: readonly string[]
  readonly withCredentials?: boolean
}

// Chromium takes seconds to start, so that all tests of the process share one, each with a profile of its own.
let launched: Promise<Browser> | undefined
test.after.always('Chromium is closed', async () => (await launched)?.close())

let free = MOST_PROFILES
const waiting: (() => void)[] = []

/**
 * Opens an address in a new profile, when it is this test's turn: one call a test, which `page.context()` has more tabs
 * for. Closed when the scope ends, which fails if a script of a page's threw.
 */
export async function openPage(scope: Scope, url: string, options: BrowserContextOptions = {}): Promise<Page> {
  await turn()
  scope.teardown(async () => pass())
  launched ??= launchChromium()
  const context = await (await launched).newContext({ colorScheme: 'light', reducedMotion: 'reduce', ...options })
  // Playwright gives up after 30 seconds, which a browser takes that shares its cores.
  context.setDefaultTimeout(PATIENCE)
  const errors: Error[] = []
  context.on('weberror', error => errors.push(error.error()))
  scope.teardown(async () => {
    await context.close()
    if (errors.length > 0) throw new AggregateError(errors, 'A script of the page threw')
  })
  await context.addInitScript({ path: PAGE_SCRIPT })
  const page = await context.newPage()
  await page.goto(url)
  return page
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
  await page.exposeFunction(tell, stream.observe)
  await page.evaluate(`void ${script}(${JSON.stringify({ tell, ...args })})`)
  return stream
}

async function turn(): Promise<void> {
  if (free > 0) free--
  else await new Promise<void>(resolve => waiting.push(resolve))
}

function pass(): void {
  const next = waiting.shift()
  if (next === undefined) free++
  else next()
}

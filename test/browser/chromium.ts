import type { Browser as Chromium, BrowserContextOptions, Page as ChromiumPage } from 'playwright-core'
import { launchChromium } from '../support/chromium.ts'
import { PATIENCE } from '../support/progress.ts'
import type { Scope } from '../support/scope.ts'
import type { Browser, FullPage } from './page.ts'
import { Turns } from './turns.ts'

// More profiles at once would only slow each other down.
const turns = new Turns(3)

// Chromium takes seconds to start, so that all tests of the process share one, each with a profile of its own.
let launched: Promise<Chromium> | undefined

/** The same as `chromium.openPage`, for tests that want all that Playwright can do. */
export async function openPage(scope: Scope, url: string, options: BrowserContextOptions = {}): Promise<ChromiumPage> {
  await turns.take(scope)
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
  const page = await context.newPage()
  await page.goto(url)
  return page
}

export const chromium: Browser<FullPage> = {
  name: 'Chromium',
  openPage: async (scope, url) => describe(await openPage(scope, url)),
  close: async () => (await launched)?.close(),
}

function describe(page: ChromiumPage): FullPage {
  return {
    async goto(url) {
      await page.goto(url)
    },
    evaluate: script => page.evaluate(script),
    async expose(name, tell) {
      await page.exposeFunction(name, tell)
    },
    newTab: async () => describe(await page.context().newPage()),
    async bringToFront() {
      await page.bringToFront()
      // Without a window Chromium shows all pages at once, so that it has nothing to say.
      await page.evaluate(`document.dispatchEvent(new Event('visibilitychange'))`)
    },
    setOffline: yes => page.context().setOffline(yes),
  }
}

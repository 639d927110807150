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

/** A page whose scripts can be stopped. */
export interface FreezablePage extends FullPage {
  newTab(): Promise<FreezablePage>
  /**
   * Stops all that a page does, as a browser does that freezes it; DevTools' own way to freeze stops nothing without a window.
   *
   * @returns a function that lets it go on
   */
  freeze(): Promise<() => Promise<unknown>>
}

export const chromium: Browser<FreezablePage> = {
  name: 'Chromium',
  openPage: async (scope, url) => describe(await openPage(scope, url)),
  close: async () => (await launched)?.close(),
}

function describe(page: ChromiumPage): FreezablePage {
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
    close: () => page.close(),
    async freeze() {
      const devtools = await page.context().newCDPSession(page)
      const paused = new Promise(resolve => devtools.once('Debugger.paused', resolve))
      await devtools.send('Debugger.enable')
      await devtools.send('Debugger.pause')
      // It stops at the next statement.
      page.evaluate('1').catch(() => undefined)
      await paused
      return () => devtools.send('Debugger.resume')
    },
  }
}

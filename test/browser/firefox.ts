import type { Browser as Firefox, Page as FirefoxPage } from 'puppeteer-core'
import { launchFirefox } from '../support/firefox.ts'
import { PATIENCE } from '../support/progress.ts'
import type { Browser, FullPage } from './page.ts'
import { Turns } from './turns.ts'

const turns = new Turns(3)

// What a script throws. Firefox reports in the same way what it makes of a stream that it does not get.
const THROWN = /^(\w*Error\b|uncaught exception)/

let launched: Promise<Firefox> | undefined

export const firefox: Browser<FullPage> = {
  name: 'Firefox',
  async openPage(scope, url) {
    await turns.take(scope)
    launched ??= launchFirefox()
    const context = await (await launched).createBrowserContext()
    const errors: unknown[] = []
    scope.teardown(async () => {
      await context.close()
      if (errors.length > 0) throw new AggregateError(errors, 'A script of the page threw')
    })
    const newTab = async (): Promise<FullPage> => {
      const page = await context.newPage()
      page.setDefaultTimeout(PATIENCE)
      page.on('pageerror', error => {
        if (!(error instanceof Error) || THROWN.test(error.message)) errors.push(error)
      })
      return describe(page, newTab)
    }
    const page = await newTab()
    await page.goto(url)
    return page
  },
  close: async () => (await launched)?.close(),
}

function describe(page: FirefoxPage, newTab: () => Promise<FullPage>): FullPage {
  return {
    async goto(url) {
      await page.goto(url)
    },
    evaluate: async <T>(script: string) => (await page.evaluate(script)) as T,
    expose: (name, tell) => page.exposeFunction(name, tell),
    newTab,
    bringToFront: () => page.bringToFront(),
    setOffline: yes => page.setOfflineMode(yes),
    close: () => page.close(),
  }
}

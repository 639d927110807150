import test, { type ExecutionContext } from 'ava'
import { chromium } from './chromium.ts'
import { firefox } from './firefox.ts'
import type { Browser, FullPage, Page } from './page.ts'
import { webkit } from './webkit.ts'

/** What a test of several browsers is given: how to open a page in the one whose turn it is, and that one's name. */
export type Run<P extends Page> = (
  t: ExecutionContext,
  openPage: (url: string) => Promise<P>,
  browser: string,
) => Promise<void>

const full: readonly Browser<FullPage>[] = [chromium, firefox]

export const browsers: readonly Browser[] = [...full, webkit]

for (const { name, close } of browsers) test.after.always(`${name} is closed`, close)

/** Describes a test of every browser that shows several tabs. */
export function inBrowsers(title: string, run: Run<FullPage>): void {
  describe(full, title, run)
}

/** Describes a test of every browser. */
export function inEveryBrowser(title: string, run: Run<Page>): void {
  describe(browsers, title, run)
}

function describe<P extends Page>(among: readonly Browser<P>[], title: string, run: Run<P>): void {
  for (const { name, openPage } of among) {
    test(`${name}: ${title}`, t => run(t, url => openPage(t, url), name))
  }
}

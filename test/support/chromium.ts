import { chromium as playwright, type Browser } from 'playwright-core'
import { PATIENCE } from './progress.ts'
import { CHROMIUM, locate } from './programs.ts'
import type { Scope } from './scope.ts'

// Only what the tests ask for may use the network.
const QUIET = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Launches the installed Chromium without a window, on a new, empty profile. Closed when the scope ends. */
export async function launchChromium(scope?: Scope): Promise<Browser> {
  const browser = await playwright.launch({
    executablePath: locate(CHROMIUM),
    headless: true,
    timeout: PATIENCE,
    // Playwright would take the signal for the browser's end only, and a test run that is told to stop would hang.
    // Chromium goes by itself when the process that holds its pipe has gone.
    handleSIGTERM: false,
    args: QUIET,
    // Pages go to the back/forward cache when they are left, as in every Chromium that nobody drives.
    ignoreDefaultArgs: ['--disable-back-forward-cache'],
    // Chromium refuses to run its sandbox as root, which is what containers are.
    chromiumSandbox: process.getuid?.() !== 0,
  })
  scope?.teardown(() => browser.close())
  return browser
}

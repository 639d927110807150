import { launch, type Browser } from 'puppeteer-core'
import { FIREFOX, locate } from './programs.ts'
import { PATIENCE } from './progress.ts'

/** Launches the installed Firefox without a window, on a new, empty profile. */
export async function launchFirefox(): Promise<Browser> {
  return launch({
    browser: 'firefox',
    protocol: 'webDriverBiDi',
    executablePath: locate(FIREFOX),
    headless: true,
    timeout: PATIENCE,
    protocolTimeout: PATIENCE,
  })
}

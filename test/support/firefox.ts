import { launch, type Browser } from 'puppeteer-core'
import { FIREFOX, locate } from './programs.ts'
import { PATIENCE } from './progress.ts'

/** Launches the installed Firefox without a window, on a new, empty profile. */
export async function launchFirefox(): Promise<Browser> {
  // Firefox is killed at the process's exit. Puppeteer would take the signal for the browser's end only.
  process.once('SIGTERM', () => process.exit(143))
  return launch({
    browser: 'firefox',
    protocol: 'webDriverBiDi',
    executablePath: locate(FIREFOX),
    headless: true,
    handleSIGTERM: false,
    timeout: PATIENCE,
    protocolTimeout: PATIENCE,
  })
}

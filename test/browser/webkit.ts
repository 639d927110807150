import { setTimeout } from 'node:timers/promises'
import { launchWebKit, type WebKit } from '../support/webkit.ts'
import type { Observation } from './observed-stream.ts'
import type { Browser, Page } from './page.ts'
import { Turns } from './turns.ts'

/** How often a page is asked for what it has told, in milliseconds: WebDriver has no way for it to say so. */
const PERIOD = 50

// It has one tab. Each test's site has an origin of its own.
const turns = new Turns(1)

let launched: Promise<WebKit> | undefined

export const webkit: Browser = {
  name: 'WebKit',
  async openPage(scope, url) {
    await turns.take(scope)
    launched ??= launchWebKit()
    const tab = await launched
    const listeners = new Map<string, (told: Observation) => void>()
    const left = new AbortController()
    await tab.goto(url)
    const asking = ask(tab, listeners, left.signal)
    scope.teardown(async () => {
      left.abort()
      await asking
      await tab.goto('about:blank')
    })
    return describe(tab, listeners)
  },
  close: async () => (await launched)?.close(),
}

function describe(tab: WebKit, listeners: Map<string, (told: Observation) => void>): Page {
  return {
    goto: tab.goto,
    evaluate: async <T>(script: string) => (await tab.execute('return eval(arguments[0])', [script])) as T,
    async expose(name, tell) {
      listeners.set(name, tell)
      await tab.execute(
        'const [name] = arguments; window.told ??= []; window[name] = told => window.told.push([name, told])',
        [name],
      )
    },
  }
}

async function ask(
  tab: WebKit,
  listeners: ReadonlyMap<string, (told: Observation) => void>,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const told = (await tab.execute('return (window.told ?? []).splice(0)', [])) as [string, Observation][]
    for (const [name, observation] of told) listeners.get(name)?.(observation)
    await setTimeout(PERIOD)
  }
}

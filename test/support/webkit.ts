import { Children } from '../../demo/cluster/children.ts'
import { eventually } from './eventually.ts'
import { freePort } from '../../demo/cluster/free-port.ts'
import { locate, WEBKIT_DRIVER, XVFB } from './programs.ts'

/** The one tab of a WebKitGTK. */
export interface WebKit {
  goto(url: string): Promise<void>
  /** Runs the body of a function in the page, and answers what it returns: JSON. */
  execute(script: string, args: readonly unknown[]): Promise<unknown>
  close(): Promise<void>
}

/** Starts the installed WebKitGTK on a screen that nobody sees, by WebDriver (https://www.w3.org/TR/webdriver2/). */
export async function launchWebKit(): Promise<WebKit> {
  const children = new Children()
  const { said: display } = await children.start(locate(XVFB), ['-displayfd', '1', '-nolisten', 'tcp'], {
    ready: /^(\d+)$/,
  })
  const port = await freePort()
  const driver = `http://127.0.0.1:${port}`
  const env = { DISPLAY: `:${display}`, GDK_BACKEND: 'x11', NO_AT_BRIDGE: '1' }
  // It says nothing when it is ready.
  const failed = children.start(locate(WEBKIT_DRIVER), [`--port=${port}`], { ready: /^\b$/, env })
  await Promise.race([
    failed,
    eventually(
      () => answers(`${driver}/status`),
      () => 'WebKitWebDriver did not answer',
    ),
  ])

  const { sessionId } = await command<{ sessionId: string }>('POST', `${driver}/session`, { capabilities: {} })
  const session = `${driver}/session/${sessionId}`
  // One command at a time.
  let last: Promise<unknown> = Promise.resolve()
  const queued = <T>(path: string, body: object): Promise<T> => {
    const answer = last.then(() => command<T>('POST', `${session}/${path}`, body))
    last = answer.catch(() => undefined)
    return answer
  }
  return {
    goto: url => queued('url', { url }),
    execute: (script, args) => queued('execute/sync', { script, args }),
    async close() {
      await last
      await command('DELETE', session)
      await children.stop()
    },
  }
}

async function command<T>(method: string, url: string, body?: object): Promise<T> {
  const response = await fetch(url, { method, ...(body && { body: JSON.stringify(body) }) })
  const { value } = (await response.json()) as { value: T & { error?: string; message?: string } }
  if (!response.ok) throw new Error(`WebKitWebDriver: ${value.error}: ${value.message}`)
  return value
}

async function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    ({ ok }) => ok,
    () => false,
  )
}

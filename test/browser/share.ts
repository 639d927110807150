import test, { type ExecutionContext } from 'ava'
import Koa, { type Middleware } from 'koa'
import { createHub, watchSessions } from 'koa-event-stream'
import type { Page } from 'playwright-core'
import { MemorySessions } from '../../demo/storage/memory-sessions.ts'
import { eventually } from '../support/eventually.ts'
import { clientFiles } from './client-files.ts'
import { openPage } from './chromium.ts'
import { addLogin, login } from './login.ts'
import { ObservedStream } from './observed-stream.ts'
import { openSite, type Site, type StreamOptions } from './site.ts'

/** A tab, and what its page was told. */
interface Tab {
  readonly page: Page
  readonly stream: ObservedStream
}

interface TabsSite extends Site {
  /** Opens a tab of the same browser, whose page shares its connection. */
  open(): Promise<Tab>
  /** Waits until the tabs have one connection: on a busy machine a tab takes over from one that lives. */
  shared(): Promise<void>
  /** Publishes the next number. */
  publish(): Promise<void>
  /** Waits until a tab has been told as many, and answers what it was told. */
  told(tab: Tab): Promise<string[]>
}

let tabs = 0

/** Connects in the page, as a page does that shares. */
async function connect(page: Page, options = '', identity = 'ann'): Promise<ObservedStream> {
  const stream = new ObservedStream()
  const tell = `tellShared${++tabs}`
  await page.exposeFunction(tell, stream.observe)
  await page.addScriptTag({
    type: 'module',
    content: `
      import { connect } from '/client/index.js'
      const live = window.live = connect('/events', {
        share: { name: 'news', identity: '${identity}' },
        onState: (state, reason) => ${tell}({ name: state, data: reason }),
        onError: error => ${tell}({ name: 'error', data: String(error) }),
        ${options}
      })
      live.on('cursor', () => ${tell}({ name: 'caught up' }))
      live.on('tick', (n, { id }) => ${tell}({ name: 'tick', data: String(n), id }))`,
  })
  return stream
}

async function openTabs(t: ExecutionContext, around: Middleware[] = [], stream: StreamOptions = {}): Promise<TabsSite> {
  const app = new Koa()
  for (const middleware of around) app.use(middleware)
  app.use(clientFiles())
  const site = await openSite(t, { app, hub: createHub(), stream })
  const first = await openPage(t, site.url)
  let isFirst = true
  let published = 0
  return {
    ...site,
    async open() {
      const page = isFirst ? first : await first.context().newPage()
      if (!isFirst) await page.goto(site.url)
      isFirst = false
      const stream = await connect(page)
      // Before that it has no place that it could go on from.
      await stream.next('caught up')
      return { page, stream }
    },
    shared: () =>
      eventually(
        () => site.hub.stats().streams === 1,
        () => `there are ${String(site.hub.stats().streams)} connections`,
      ),
    async publish() {
      published += 1
      await site.hub.publish('news', { event: 'tick', data: published })
    },
    async told({ stream }) {
      while (stream.all('tick').at(-1)?.data !== String(published)) await stream.next('tick')
      return stream.all('tick').map(({ data }) => data ?? '')
    },
  }
}

const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, n) => String(from + n))

test('seven tabs over HTTP/1.1 have one connection, and all of them live', async t => {
  const site = await openTabs(t)
  const open: Tab[] = []
  for (let n = 0; n < 7; n += 1) open.push(await site.open())
  for (let n = 0; n < 3; n += 1) await site.publish()
  for (const tab of open) t.deepEqual(await site.told(tab), numbers(1, 3))
  await site.shared()
})

/**
 * Stops all that a page does, as a browser does that freezes it; DevTools' own way to freeze stops nothing without a window.
 *
 * @returns a function that lets it go on
 */
async function freeze({ page }: Tab): Promise<() => Promise<unknown>> {
  const devtools = await page.context().newCDPSession(page)
  const paused = new Promise(resolve => devtools.once('Debugger.paused', resolve))
  await devtools.send('Debugger.enable')
  await devtools.send('Debugger.pause')
  // It stops at the next statement.
  page.evaluate('1').catch(() => undefined)
  await paused
  return () => devtools.send('Debugger.resume')
}

/** What becomes of the tab that leads. */
const LOSSES: Record<string, (tab: Tab) => Promise<unknown>> = {
  'is closed': ({ page }) => page.close(),
  'is navigated away': ({ page }) => page.goto('about:blank'),
  'is frozen': freeze,
}

for (const [what, lose] of Object.entries(LOSSES)) {
  test(`the next tab takes over from one that ${what}`, async t => {
    const site = await openTabs(t)
    const [leader, ...others] = [await site.open(), await site.open(), await site.open()]
    await site.publish()
    for (const tab of [leader, ...others]) await site.told(tab)
    await site.shared()
    await lose(leader)
    const lostAt = performance.now()
    await site.publish()
    for (const tab of others) t.deepEqual(await site.told(tab), ['1', '2'])
    t.log(`told after ${Math.round(performance.now() - lostAt)} ms`)
    for (let n = 0; n < 3; n += 1) await site.publish()
    for (const tab of others) t.deepEqual(await site.told(tab), numbers(1, 5))
  })
}

test('a leader that is thawed reads on with the others, and nothing twice', async t => {
  const site = await openTabs(t)
  const [leader, second] = [await site.open(), await site.open()]
  await site.shared()
  const thaw = await freeze(leader)
  for (let n = 0; n < 3; n += 1) await site.publish()
  t.deepEqual(await site.told(second), numbers(1, 3))
  await thaw()
  for (let n = 0; n < 3; n += 1) await site.publish()
  for (const tab of [leader, second]) t.deepEqual(await site.told(tab), numbers(1, 6))
})

test('tabs that close while large events are on their way lose nothing of what the others are told', async t => {
  const site = await openTabs(t)
  const open = [await site.open(), await site.open(), await site.open()]
  const last = await site.open()
  await site.shared()
  const leaving = new AbortController()
  const publishing = (async () => {
    while (!leaving.signal.aborted) {
      await site.hub.publish('news', { event: 'filling', data: 'x'.repeat(200_000) })
      await site.publish()
      // History holds no more than a few of these.
      await site.told(last)
    }
  })()
  for (const { page, stream } of open) {
    await stream.next('tick')
    await page.close()
  }
  leaving.abort()
  await publishing
  const told = await site.told(last)
  t.deepEqual(told, numbers(1, told.length))
})

test('without Web Locks each tab has its own connection', async t => {
  const site = await openTabs(t)
  const first = await site.open()
  await first.page.context().addInitScript('Object.defineProperty(Navigator.prototype, "locks", { value: undefined })')
  const others = [await site.open(), await site.open()]
  await site.publish()
  for (const tab of [first, ...others]) {
    t.deepEqual(await site.told(tab), ['1'])
    t.deepEqual(tab.stream.all('error'), [])
  }
  t.is(site.hub.stats().streams, 3)
})

test('a tab that cannot load the file for it says so, and has its own connection', async t => {
  let isMissing = false
  const missing: Middleware = (ctx, next) => {
    if (isMissing && ctx.path === '/client/share.js') ctx.status = 404
    else return next()
  }
  const site = await openTabs(t, [missing])
  const first = await site.open()
  isMissing = true
  const second = await site.open()
  await site.publish()
  for (const tab of [first, second]) t.deepEqual(await site.told(tab), ['1'])
  t.regex(second.stream.all('error')[0]?.data ?? '', /share\.js/)
  t.is(site.hub.stats().streams, 2)
})

test('a log-out in one tab ends all of that login, and the next login has its own', async t => {
  const app = new Koa()
  const hub = createHub()
  addLogin(app, { store: watchSessions(new MemorySessions(), hub) })
  app.use((ctx, next) => {
    if (ctx.path === '/bob') ctx.session.userId = 'bob'
    return next()
  })
  app.use(clientFiles())
  const site = await openSite(t, {
    app,
    hub,
    stream: { authenticate: login, subscribe: ({ identity }) => `user:${String(identity?.id)}` },
  })
  const page = await openPage(t, `${site.url}/login`)
  const ann = await connect(page)
  await ann.next('open')
  const other = await page.context().newPage()
  await other.goto(site.url)
  const annToo = await connect(other)
  await annToo.next('open')
  t.is(hub.stats().streams, 1)

  await other.goto(`${site.url}/logout`)
  t.is((await ann.next('ended')).data, 'logout')
  await other.goto(`${site.url}/bob`)
  const bob = await connect(other, '', 'bob')
  await bob.next('open')
  await hub.publish('user:ann', { event: 'tick', data: 'for ann' })
  await hub.publish('user:bob', { event: 'tick', data: 'for bob' })
  t.is((await bob.next('tick')).data, 'for bob')
  t.deepEqual(ann.all('tick'), [])
  t.is(bob.all('tick').length, 1)
  t.is(hub.stats().streams, 1)
})

import test, { type ExecutionContext } from 'ava'
import Koa, { type Middleware } from 'koa'
import { createHub, watchSessions } from 'koa-event-stream'
import { MemorySessions } from '../../demo/storage/memory-sessions.ts'
import { eventually } from '../support/eventually.ts'
import { clientFiles } from './client-files.ts'
import { chromium, type FreezablePage } from './chromium.ts'
import { inBrowsers } from './in-browsers.ts'
import { addLogin, login } from './login.ts'
import { ObservedStream } from './observed-stream.ts'
import type { FullPage, Page } from './page.ts'
import { openSite, type Site } from './site.ts'

/** A page of a browser that shows several. */
interface Several<P> extends Page {
  newTab(): Promise<P>
  close(): Promise<void>
}

/** A tab, and what its page was told. */
interface Tab<P> {
  readonly page: P
  readonly stream: ObservedStream
}

interface TabsSite<P> extends Site {
  /** Opens a tab of the same browser, whose page shares its connection, unless `before` sees to it that it cannot. */
  open(before?: (page: P) => Promise<unknown>): Promise<Tab<P>>
  /** Waits until the tabs have one connection: on a busy machine a tab takes over from one that lives. */
  shared(): Promise<void>
  /** Publishes the next number. */
  publish(): Promise<void>
  /** Waits until a tab has been told as many, and answers what it was told. */
  told(tab: Tab<P>): Promise<string[]>
}

type OpenPage<P> = (url: string) => Promise<P>

let tabs = 0

/** Connects in the page, as a page does that shares. */
async function connect(page: Page, identity = 'ann'): Promise<ObservedStream> {
  const stream = new ObservedStream()
  const tell = `tellShared${++tabs}`
  await page.expose(tell, stream.observe)
  await page.evaluate(`import('/client/index.js').then(({ connect }) => {
    const live = window.live = connect('/events', {
      share: { name: 'news', identity: '${identity}' },
      onState: (state, reason) => ${tell}({ name: state, data: reason }),
      onError: error => ${tell}({ name: 'error', data: String(error) }),
    })
    live.on('cursor', () => ${tell}({ name: 'caught up' }))
    live.on('tick', (n, { id }) => ${tell}({ name: 'tick', data: String(n), id }))
  })`)
  return stream
}

async function openTabs<P extends Several<P>>(
  t: ExecutionContext,
  openPage: OpenPage<P>,
  around: Middleware[] = [],
): Promise<TabsSite<P>> {
  const app = new Koa()
  for (const middleware of around) app.use(middleware)
  app.use(clientFiles())
  const site = await openSite(t, { app, hub: createHub() })
  let first: P | undefined
  let published = 0
  const openTab = async (): Promise<P> => {
    if (first === undefined) return (first = await openPage(site.url))
    const page = await first.newTab()
    await page.goto(site.url)
    return page
  }
  return {
    ...site,
    async open(before) {
      const page = await openTab()
      await before?.(page)
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

inBrowsers('seven tabs over HTTP/1.1 have one connection, and all of them live', async (t, openPage) => {
  const site = await openTabs(t, openPage)
  const open: Tab<FullPage>[] = []
  for (let n = 0; n < 7; n += 1) open.push(await site.open())
  for (let n = 0; n < 3; n += 1) await site.publish()
  for (const tab of open) t.deepEqual(await site.told(tab), numbers(1, 3))
  await site.shared()
})

function takesOver<P extends Several<P>>(lose: (page: P) => Promise<unknown>) {
  return async (t: ExecutionContext, openPage: OpenPage<P>): Promise<void> => {
    const site = await openTabs(t, openPage)
    const [leader, ...others] = [await site.open(), await site.open(), await site.open()]
    await site.publish()
    for (const tab of [leader, ...others]) await site.told(tab)
    await site.shared()
    await lose(leader.page)
    const lostAt = performance.now()
    await site.publish()
    for (const tab of others) t.deepEqual(await site.told(tab), ['1', '2'])
    t.log(`told after ${Math.round(performance.now() - lostAt)} ms`)
    for (let n = 0; n < 3; n += 1) await site.publish()
    for (const tab of others) t.deepEqual(await site.told(tab), numbers(1, 5))
  }
}

inBrowsers(
  'the next tab takes over from one that is closed',
  takesOver(page => page.close()),
)

inBrowsers(
  'the next tab takes over from one that is navigated away',
  takesOver(page => page.goto('about:blank')),
)

test('the next tab takes over from one that is frozen', t =>
  takesOver<FreezablePage>(page => page.freeze())(t, url => chromium.openPage(t, url)))

test('a leader that is thawed reads on with the others, and nothing twice', async t => {
  const site = await openTabs(t, url => chromium.openPage(t, url))
  const [leader, second] = [await site.open(), await site.open()]
  await site.shared()
  const thaw = await leader.page.freeze()
  for (let n = 0; n < 3; n += 1) await site.publish()
  t.deepEqual(await site.told(second), numbers(1, 3))
  await thaw()
  for (let n = 0; n < 3; n += 1) await site.publish()
  for (const tab of [leader, second]) t.deepEqual(await site.told(tab), numbers(1, 6))
})

test('tabs that close while large events are on their way lose nothing of what the others are told', async t => {
  const site = await openTabs(t, url => chromium.openPage(t, url))
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
  const site = await openTabs(t, url => chromium.openPage(t, url))
  const withoutLocks = (page: Page) =>
    page.evaluate('void Object.defineProperty(Navigator.prototype, "locks", { value: undefined })')
  const open = [await site.open(), await site.open(withoutLocks), await site.open(withoutLocks)]
  await site.publish()
  for (const tab of open) {
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
  const site = await openTabs(t, url => chromium.openPage(t, url), [missing])
  const first = await site.open()
  isMissing = true
  const second = await site.open()
  await site.publish()
  for (const tab of [first, second]) t.deepEqual(await site.told(tab), ['1'])
  t.regex(second.stream.all('error')[0]?.data ?? '', /share\.js/)
  t.is(site.hub.stats().streams, 2)
})

inBrowsers('a log-out in one tab ends all of that login, and the next login has its own', async (t, openPage) => {
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
  const page = await openPage(`${site.url}/login`)
  const ann = await connect(page)
  await ann.next('open')
  const other = await page.newTab()
  await other.goto(site.url)
  const annToo = await connect(other)
  await annToo.next('open')
  t.is(hub.stats().streams, 1)

  await other.goto(`${site.url}/logout`)
  // On a busy machine a tab may just be taking over.
  t.regex((await ann.next('ended')).data ?? '', /^(logout|unauthenticated)$/)
  await other.goto(`${site.url}/bob`)
  const bob = await connect(other, 'bob')
  await bob.next('open')
  await hub.publish('user:ann', { event: 'tick', data: 'for ann' })
  await hub.publish('user:bob', { event: 'tick', data: 'for bob' })
  t.is((await bob.next('tick')).data, 'for bob')
  t.deepEqual(ann.all('tick'), [])
  t.is(bob.all('tick').length, 1)
  t.is(hub.stats().streams, 1)
})

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import Koa from 'koa'
import type { Page } from 'playwright-core'
import { staticFiles } from '../../demo/middleware/static-files.ts'
import { ACCESS_LIFETIME } from '../../demo/tokens/issuer.ts'
import { openSite, PASSWORDS, type Site, type Tokens } from '../demo/site.ts'
import { serve } from '../support/http.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { ROOT } from '../support/root.ts'
import { openTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { openPage } from './chromium.ts'
import { openFront, type Front } from './front.ts'

const WIDGET = join(ROOT, 'demo/public/widget.html')

const HOUR = 60 * 60 * 1_000

interface Partner {
  readonly site: Site
  readonly front: Front
  readonly clock: ManualClock
  readonly cable: TcpProxy
  readonly page: Page
  /** What the API answered to the login. */
  readonly tokens: Tokens
  /** The `readyState` of every EventSource that the page has made, in their order. */
  streams(): Promise<number[]>
  /** What the page shows, oldest first, once so many lines are there. */
  lines(count: number): Promise<string[]>
}

/** The demo's widget on a page of another origin, which the API lists, with ada logged in and her stream open. */
async function openPartner(t: ExecutionContext): Promise<Partner> {
  const clock = new ManualClock()
  const cable = await openTcpProxy(0, t)
  const app = new Koa()
  app.use(async (ctx, next) => {
    if (ctx.path !== '/assets/widget.html') return staticFiles(ctx, next)
    ctx.type = 'html'
    ctx.body = (await readFile(WIDGET, 'utf8')).replace('data-api="/api/"', `data-api="${cable.url}/api/"`)
  })
  const partner = await serve(app, t)
  const site = await openSite(t, { apiOrigins: [partner.url] }, { clock })
  const front = await openFront(t, site.app)
  cable.target = front.port

  const page = await openPage(t, `${partner.url}/assets/widget.html`)
  await page.evaluate(`
    window.sources = []
    window.EventSource = class extends EventSource {
      constructor(url) {
        super(url)
        window.sources.push(this)
      }
    }
  `)
  const tokens = await logIn(page)
  const streams = () => page.evaluate<number[]>('sources.map(({ readyState }) => readyState)')
  return { site, front, clock, cable, page, tokens, streams, lines: count => lines(page, count) }
}

async function logIn(page: Page): Promise<Tokens> {
  const answer = page.waitForResponse(response => response.request().method() === 'POST')
  await page.getByLabel('User name').fill('ada')
  await page.getByLabel('Password').fill(PASSWORDS.ada)
  await page.getByRole('button', { name: 'Log in' }).click()
  const tokens = (await (await answer).json()) as Tokens
  await page.getByText('Live', { exact: true }).waitFor()
  return tokens
}

async function lines(page: Page, count: number): Promise<string[]> {
  const feed = page.getByRole('listitem')
  await feed.nth(count - 1).waitFor()
  return (await feed.allInnerTexts()).reverse()
}

/** From now on, timers of the page run when its clock is told to. */
async function stopTime(page: Page): Promise<void> {
  await page.clock.install()
  await page.clock.pauseAt((await page.evaluate<number>('Date.now()')) + HOUR)
}

/** What a page asks to get its first stream. */
const LOGIN = ['POST token 200', 'POST events/ticket 200', 'GET events 200']

test('a page whose connection breaks comes back with another ticket, and goes on from its cursor', async t => {
  const { site, front, cable, page, tokens, streams, lines } = await openPartner(t)
  const addresses: string[] = []
  page.on('request', request => addresses.push(request.url()))
  await site.services.notify('ada', 'one')
  await lines(1)

  cable.cut()
  await page.getByText('Reconnecting', { exact: true }).waitFor()
  for (const text of ['two', 'three']) await site.services.notify('ada', text)
  cable.mend()
  await page.getByText('Live', { exact: true }).waitFor()
  await site.services.notify('ada', 'four')
  t.deepEqual(await lines(4), ['one', 'two', 'three', 'four'])
  t.deepEqual(front.asked, [...LOGIN, 'POST events/ticket 200', 'GET events 200'])
  t.deepEqual(await streams(), [2, 1])

  const ticket = new URL(addresses.find(address => address.includes('ticket=')) ?? '').searchParams.get('ticket')
  for (const secret of [ticket, tokens.access_token, tokens.refresh_token]) {
    t.true(secret !== null && secret.length > 20)
    t.false(front.log.join().includes(secret ?? ''))
  }
})

test('a page whose access token has expired refreshes it for another ticket, and goes on from its cursor', async t => {
  const { site, front, clock, page, streams, lines } = await openPartner(t)
  await site.services.notify('ada', 'one')
  await lines(1)

  clock.advance(ACCESS_LIFETIME)
  await site.services.notify('ada', 'two')
  await front.answered('GET events 200', 2)
  await site.services.notify('ada', 'three')
  await page.getByText('Live', { exact: true }).waitFor()
  await site.services.notify('ada', 'four')
  t.deepEqual(await lines(4), ['one', 'two', 'three', 'four'])
  t.deepEqual(front.asked, [
    ...LOGIN,
    'POST events/ticket 401',
    'POST token 200',
    'POST events/ticket 200',
    'GET events 200',
  ])
  t.deepEqual(await streams(), [2, 1])
})

test('a page that gets no ticket for a while asks again, and has one stream in the end, with everything', async t => {
  const { site, front, page, streams, lines } = await openPartner(t)
  await stopTime(page)
  await site.services.notify('ada', 'one')
  await lines(1)

  let asked = 0
  page.on('request', request => {
    if (request.method() === 'POST') asked++
  })
  const asksAgain = async () => {
    await page.getByText('Reconnecting', { exact: true }).waitFor()
    for (const before = asked; asked === before;) await page.clock.runFor(500)
  }
  const refused = 'POST events/ticket 503'
  front.refuseTickets(true)
  await site.hub.disconnect({ identity: 'ada' })
  await site.services.notify('ada', 'two')
  for (const time of [1, 2, 3]) {
    await asksAgain()
    await front.answered(refused, time)
  }
  front.refuseTickets(false)
  await asksAgain()
  await page.getByText('Live', { exact: true }).waitFor()
  await site.services.notify('ada', 'three')
  t.deepEqual(await lines(3), ['one', 'two', 'three'])
  t.deepEqual(front.asked, [...LOGIN, refused, refused, refused, 'POST events/ticket 200', 'GET events 200'])
  t.deepEqual(await streams(), [2, 1])
})

/** Lets an hour go by on a page that has nothing to ask for, and logs in again. */
async function isQuiet(t: ExecutionContext, { front, page, streams }: Partner): Promise<void> {
  t.true((await streams()).every(state => state === 2))
  const asked = [...front.asked]
  await page.clock.runFor(HOUR)
  t.deepEqual(front.asked, asked)
  await logIn(page)
}

test('a page shows the login form after its log-out, and asks no more', async t => {
  const partner = await openPartner(t)
  const { front, page } = partner
  await page.clock.install()
  await page.getByRole('button', { name: 'Log out' }).click()
  await page.getByRole('button', { name: 'Log in' }).waitFor()
  await front.answered('DELETE token 204')
  await isQuiet(t, partner)
})

test('a page whose login was ended, since its refresh token was in two hands, shows the login form and asks no more', async t => {
  const partner = await openPartner(t)
  const { site, page, tokens } = partner
  await page.clock.install()
  const steal = () => site.askForTokens({ grant_type: 'refresh_token', refresh_token: tokens.refresh_token })
  for (const status of [200, 400]) t.is((await steal()).status, status)
  await page.getByText('You have been logged out.').waitFor()
  await isQuiet(t, partner)
})

test('the widget lives in the demo itself, under its content security policy', async t => {
  const site = await openSite(t)
  const page = await openPage(t, `${site.url}/assets/widget.html`, { viewport: { width: 390, height: 844 } })
  await page.getByLabel('User name').fill('ada')
  await page.getByLabel('Password').fill('wrong')
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.getByText('user name and password do not match').waitFor()
  await logIn(page)
  await site.services.notify('ada', 'The ship is in.')
  t.deepEqual(await lines(page, 1), ['The ship is in.'])
  t.is(await page.evaluate<number>('document.documentElement.scrollWidth'), 390)
})

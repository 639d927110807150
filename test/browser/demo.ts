import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { topics } from '../../demo/events.ts'
import { seed } from '../../demo/simulation.ts'
import { openSite, PASSWORDS, type Site } from '../demo/site.ts'
import { ROOT } from '../support/root.ts'
import { openTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { openPage } from './chromium.ts'

/** Taken anew only when asked for, by `npm run screenshot`, so that testing leaves the tree as it is. */
const SCREENSHOT = join(ROOT, 'demo/screenshot.png')
const SEVEN_TABS = join(ROOT, 'docs/seven-tabs.png')

interface Shop {
  readonly site: Site
  readonly cable: TcpProxy
  /** Another tab of the same browser, at a path. */
  tab(path: string): Promise<Page>
}

/** The demo with some past, and ada logged in by the form. */
async function openShop(t: ExecutionContext, options: BrowserContextOptions = {}): Promise<Shop> {
  const site = await openSite(t)
  await seed(site.services)
  const cable = await openTcpProxy(Number(new URL(site.url).port), t)
  const page = await openPage(t, cable.url, options)
  await page.getByLabel('User name').fill('ada')
  await page.getByLabel('Password').fill(PASSWORDS.ada)
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.getByRole('heading', { name: 'Orders' }).waitFor()
  const tab = async (path: string) => {
    const another = await page.context().newPage()
    await another.goto(cable.url + path)
    await another.getByText('Live', { exact: true }).waitFor()
    return another
  }
  return { site, cable, tab }
}

async function order({ services, hub }: Site, lot: string, bags = 2): Promise<string> {
  const placed = await services.orders.place('ada', lot, bags, (await services.market.price(lot)) ?? 0)
  return hub.publish(topics.user('ada'), { event: 'order.created', data: placed })
}

test('orders, prices and notifications arrive on the pages that are open', async t => {
  const { site, tab } = await openShop(t)
  const [market, notifications, orders] = await Promise.all([tab('/market'), tab('/notifications'), tab('/')])

  const placing = await tab('/')
  await placing.getByLabel('Coffee').selectOption({ label: 'Nyeri AA, Kenya' })
  await placing.getByLabel('Bags of 60 kg').fill('17')
  await placing.getByRole('button', { name: 'Place order' }).click()
  const rows = [placing, orders].map(page => page.getByRole('row').filter({ hasText: '17 × 60 kg' }))
  for (const row of rows) await row.filter({ hasText: 'received' }).waitFor()
  const [placed] = await site.services.orders.list('ada')
  const confirmed = await site.services.orders.advance('ada', placed?.id ?? '')
  if (confirmed) await site.hub.publish(topics.user('ada'), { event: 'order.updated', data: confirmed })
  for (const row of rows) {
    await row.filter({ hasText: 'confirmed' }).waitFor()
    t.is(await row.count(), 1)
  }

  await market.getByText('On the floor: Ada Lovelace', { exact: true }).waitFor()
  const quote = await site.services.market.advance()
  await site.hub.publish(topics.market, { event: 'quote', data: quote })
  const [lot = '', price = 0] = Object.entries(quote.prices)[0] ?? []
  await market
    .locator(`[data-lot="${lot}"]`)
    .getByText(`€${(price / 100).toFixed(2)}`)
    .waitFor()
  t.is(await market.locator('[data-chart] canvas').count(), 1)

  await orders.bringToFront()
  await site.services.notify('ada', 'The ship is in.')
  await notifications.getByRole('listitem').filter({ hasText: 'The ship is in.' }).waitFor()
  await orders.getByRole('status').getByText('The ship is in.').waitFor()
  await orders.getByRole('link', { name: 'Notifications 1' }).waitFor()
  if (process.env.SCREENSHOT) await orders.screenshot({ path: SCREENSHOT })
})

test('seven tabs share one connection, and each shows the order that comes in', async t => {
  const { site, tab } = await openShop(t, { viewport: { width: 700, height: 640 } })
  const pages: Page[] = []
  for (let n = 0; n < 7; n += 1) {
    const page = await tab(n < 6 ? '/' : '/connection')
    await page.getByText('Live', { exact: true }).waitFor()
    pages.push(page)
  }
  const { streams } = site.services.hub.stats()
  t.is(streams, 1)
  await order(site, 'nyeri', 19)
  for (const page of pages) await page.locator('tr:has-text("19 × 60 kg"), [data-name="order.created"]').waitFor()
  if (process.env.SCREENSHOT) await takeTogether(pages, `${streams} connection for seven tabs`, SEVEN_TABS)
})

test('a connection that is cut resumes, with nothing lost, doubled or told as a gap', async t => {
  const { site, cable, tab } = await openShop(t)
  const page = await tab('/connection')
  const ids = [await order(site, 'nyeri')]
  const log = page.locator('[data-name="order.created"]')
  await log.nth(0).waitFor()

  cable.cut()
  await page.getByText('Reconnecting', { exact: true }).waitFor()
  for (const lot of ['huila', 'kochere', 'cerrado']) ids.push(await order(site, lot))
  cable.mend()
  await page.getByText('Live', { exact: true }).waitFor()
  ids.push(await order(site, 'nyeri'))
  await log.nth(4).waitFor()
  t.deepEqual(await log.locator('small').allInnerTexts(), ids.reverse())
  t.is(await page.locator('[data-fact="gaps"]').innerText(), '0')
  // Where the machine is so busy that streams are taken for held back, there are more.
  t.true(Number(await page.locator('[data-fact="reconnects"]').innerText()) >= 1)
  const states = page.locator('[data-log="states"] li')
  const told = await Promise.all(
    (await states.all()).reverse().map(line => line.locator('strong, code').allInnerTexts()),
  )
  const lost = told.findIndex(([state]) => state === 'waiting')
  t.deepEqual(told[0], ['connecting', 'start'])
  t.is(told[lost - 1]?.[0], 'open')
  t.deepEqual(told.slice(lost, lost + 2), [
    ['waiting', 'closed'],
    ['connecting', 'closed'],
  ])
  t.is(told.at(-1)?.[0], 'open')
})

test('after a gap a page loads what it shows, as it is now, and goes on from there', async t => {
  const { site, cable, tab } = await openShop(t)
  const pages = await Promise.all(['/', '/market', '/notifications'].map(tab))
  cable.cut()
  for (const page of pages) await page.getByText('Reconnecting', { exact: true }).waitFor()
  // More than history keeps.
  for (let n = 0; n < 1_001; n++)
    await site.hub.publish([topics.user('ada'), topics.market], { event: 'token', data: { text: '' } })
  const placed = await site.services.orders.place('ada', 'nyeri', 19, 1_000)
  await site.services.notifications.add('ada', 'The ship is late.')
  const { prices } = await site.services.market.advance()
  cable.mend()

  const [orders, market, notifications] = pages
  await orders?.getByRole('row').filter({ hasText: '19 × 60 kg' }).waitFor()
  await market?.getByText(`€${((prices.nyeri ?? 0) / 100).toFixed(2)}`).waitFor()
  await notifications?.getByRole('listitem').filter({ hasText: 'The ship is late.' }).waitFor()
  for (const page of pages) await page.getByRole('link', { name: 'Notifications 1' }).waitFor()

  const confirmed = await site.services.orders.advance('ada', placed.id)
  if (confirmed) await site.hub.publish(topics.user('ada'), { event: 'order.updated', data: confirmed })
  await orders?.getByRole('row').filter({ hasText: '19 × 60 kg' }).filter({ hasText: 'confirmed' }).waitFor()
  await site.services.notify('ada', 'The ship is in.')
  await notifications?.getByRole('listitem').filter({ hasText: 'The ship is in.' }).waitFor()
  for (const page of pages) await page.getByRole('link', { name: 'Notifications 2' }).waitFor()
  t.is(await orders?.getByRole('row').filter({ hasText: '19 × 60 kg' }).count(), 1)
  t.is(await notifications?.getByRole('listitem').count(), 2)
})

test('the assistant answers word by word, until it is told to stop', async t => {
  const { tab } = await openShop(t)
  const page = await tab('/assistant')
  const answer = page.locator('[data-question] .theirs[data-done]')
  await page.getByRole('button', { name: 'Tell me about Kenya' }).click()
  await answer.nth(0).waitFor()
  t.regex(await answer.nth(0).innerText(), /^Nyeri AA comes from Kenya\..*better moment\.$/s)

  await page.getByLabel('Your question').fill('What is cheapest today?')
  await page.getByRole('button', { name: 'Ask' }).click()
  await page.getByRole('button', { name: 'Stop' }).click()
  await answer.nth(1).waitFor()
  t.regex(await answer.nth(1).innerText(), /\nStopped\.$/)
})

test('logging out in one tab sends the others to the login page', async t => {
  const { site, tab } = await openShop(t)
  const [first, second] = await Promise.all([tab('/'), tab('/market')])
  t.is(site.hub.stats().identities, 1)
  await second.getByRole('button', { name: 'Log out' }).click()
  await first.waitForURL('**/login?ended')
  await first.getByText('You have been logged out.').waitFor()
  t.is(site.hub.stats().streams, 0)
})

test('no page is wider than a phone', async t => {
  const { tab } = await openShop(t, { viewport: { width: 390, height: 844 } })
  for (const path of ['/', '/market', '/notifications', '/assistant', '/connection']) {
    const page = await tab(path)
    t.is(await page.evaluate<number>('document.documentElement.scrollWidth'), 390, path)
    await page.close()
  }
})

/** Takes a picture of several pages, side by side. */
async function takeTogether(pages: readonly Page[], title: string, path: string): Promise<void> {
  const pictures = await Promise.all(pages.map(async page => (await page.screenshot()).toString('base64')))
  const sheet = await pages[0]?.context().newPage()
  if (sheet === undefined) return
  await sheet.setViewportSize({ width: 1_240, height: 660 })
  await sheet.setContent(`<style>
      body { margin: 20px; font: 600 20px system-ui; }
      div { display: grid; grid-template-columns: repeat(4, 1fr); gap: 12px; margin-top: 12px; }
      img { width: 100%; border: 1px solid #ccc; border-radius: 6px; }
    </style>${title}<div>${pictures.map(picture => `<img src="data:image/png;base64,${picture}">`).join('')}</div>`)
  await sheet.screenshot({ path })
}

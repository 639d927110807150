import { join } from 'node:path'
import test from 'ava'
import type { Page } from 'playwright-core'
import { topics } from '../../demo/events.ts'
import { openSite, PASSWORDS, type Site, type User } from '../demo/site.ts'
import { PATIENCE } from '../support/progress.ts'
import { ROOT } from '../support/root.ts'
import type { Scope } from '../support/scope.ts'
import { openPage } from './chromium.ts'

/** Taken anew by `npm run screenshot`. */
const SCREENSHOT = join(ROOT, 'demo/ops.png')

async function logIn(page: Page, user: User): Promise<Page> {
  await page.getByLabel('User name').fill(user)
  await page.getByLabel('Password').fill(PASSWORDS[user])
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.getByRole('heading', { name: 'Orders' }).waitFor()
  return page
}

/** Somebody else's browser. Another turn of its own would be waited for while this test has one. */
async function openBeside(scope: Scope, { page, url }: { page: Page; url: string }): Promise<Page> {
  const context = await page.context().browser()?.newContext({ reducedMotion: 'reduce' })
  if (context === undefined) throw new Error('the page has no browser')
  context.setDefaultTimeout(PATIENCE)
  scope.teardown(() => context.close())
  const beside = await context.newPage()
  await beside.goto(url)
  return beside
}

for (const viewport of [
  { width: 1_280, height: 900 },
  { width: 390, height: 844 },
]) {
  test(`operators see a stream arrive and cut it, on a screen of ${viewport.width} pixels`, async t => {
    const site = await openSite(t)
    const operator = await logIn(await openPage(t, site.url, { viewport }), 'joan')
    await operator.getByRole('link', { name: 'Operation' }).click()
    await operator.getByRole('heading', { name: 'Event streams' }).waitFor()
    await operator.getByText('Live', { exact: true }).waitFor()

    const ada = await logIn(await openBeside(t, { page: operator, url: site.url }), 'ada')
    t.is(await ada.getByRole('link', { name: 'Operation' }).count(), 0)
    await ada.goto(`${site.url}/connection`)
    await ada.getByText('Live', { exact: true }).waitFor()
    const row = operator.locator('#streams tr').filter({ hasText: 'user:ada' })
    await row.waitFor()
    await row.getByRole('button', { name: 'Trace ada' }).click()
    const entries = operator.locator('#entries tr')
    await entries.filter({ hasText: 'is open' }).waitFor()
    await site.services.notify('ada', 'The ship is in.')
    await entries.filter({ hasText: 'notification' }).waitFor()
    t.is(await entries.filter({ hasText: 'The ship is in.' }).count(), 0)
    t.is(await operator.evaluate<number>('document.documentElement.scrollWidth'), viewport.width)
    if (process.env.SCREENSHOT && viewport.width > 390) await takePicture(site, operator)

    await row.getByRole('button', { name: /^Cut the stream .* of ada$/ }).click()
    await operator.getByRole('alert').filter({ hasText: 'The stream was cut.' }).waitFor()
    await entries.filter({ hasText: 'closed' }).filter({ hasText: 'server' }).waitFor()
    const states = ada.locator('[data-log="states"] li').filter({ hasText: 'waiting' })
    await states.filter({ hasText: 'server' }).first().waitFor()
    await ada.getByText('Live', { exact: true }).waitFor()

    await row.getByRole('button', { name: 'Disconnect ada' }).click()
    const dialog = operator.getByRole('dialog')
    await dialog.getByRole('button', { name: 'Cancel' }).click()
    t.is(await dialog.count(), 0)
    t.is(await operator.getByRole('alert').innerText(), 'The stream was cut. Its client may come back.')
  })
}

test('customers get no page for operators, and visitors are asked to log in', async t => {
  const site = await openSite(t)
  const page = await openPage(t, `${site.url}/ops/`)
  await page.waitForURL('**/login?next=%2Fops%2F')
  await page.getByLabel('User name').fill('ada')
  await page.getByLabel('Password').fill(PASSWORDS.ada)
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.getByText('not allowed to see this page').waitFor()
  t.is((await page.goto(`${site.url}/ops/`))?.status(), 403)
})

/** With some more going on. */
async function takePicture(site: Site, page: Page): Promise<void> {
  const grace = await site.loggedIn('grace')
  for (let n = 0; n < 3; n += 1) await grace.openStream('/events?market')
  for (let n = 0; n < 40; n += 1) {
    await site.hub.publish(topics.market, { event: 'quote', data: await site.services.market.advance() })
  }
  await page.locator('#streams tr').filter({ hasText: 'grace' }).nth(2).waitFor()
  await page.locator('#topics [data-key="market"]').waitFor()
  await page.evaluate('scrollTo(0, 0)')
  await page.screenshot({ path: SCREENSHOT })
}

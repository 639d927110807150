import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { build } from 'esbuild'
import { format, resolveConfig } from 'prettier'
import { chromium, openPage } from '../browser/chromium.ts'
import { serve } from '../support/http.ts'
import { sectionIn, withSection } from '../support/marked-section.ts'
import { ROOT } from '../support/root.ts'
import { clients, type Client } from './clients.ts'
import { inNode } from './in-node.ts'
import { observe, type Behaviour } from './observe.ts'
import { BLANK, openSite } from './site.ts'
import { nameOf, PAGE, rowOf, rowsIn, SECTION, tableOf } from './table.ts'

const rows = new Map<Client, readonly string[]>()

for (const client of clients) {
  test(`${nameOf(client)} does what the table says`, async t => {
    const row = rowOf(client, client.where === 'node' ? await seenInNode(t, client) : await seenInPage(t, client))
    rows.set(client, row)
    if (process.env.UPDATE) t.pass()
    else {
      const table = rowsIn(sectionIn(await readFile(PAGE, 'utf8'), SECTION) ?? '')
      t.deepEqual(table[clients.indexOf(client)], row, 'npm run update:clients writes it')
    }
  })
}

test('the table has no other clients', async t => {
  const table = rowsIn(sectionIn(await readFile(PAGE, 'utf8'), SECTION) ?? '')
  t.deepEqual(
    table.map(([name]) => name),
    clients.map(nameOf),
  )
})

test.after.always('Chromium is closed', chromium.close)

// Rows that are not true yet do not keep it from being written.
test.after.always('the table is written, where that was asked for', async () => {
  if (!process.env.UPDATE) return
  const text = withSection(await readFile(PAGE, 'utf8'), SECTION, `${tableOf(rows)}\n`)
  await writeFile(PAGE, await format(text, { ...(await resolveConfig(PAGE)), parser: 'markdown' }))
})

async function seenInNode(t: ExecutionContext, client: Client): Promise<Behaviour> {
  const site = await openSite(t)
  const drive = inNode[client.package ?? '']
  if (drive === undefined) throw new Error(`nothing opens ${nameOf(client)}`)
  return observe(site, welcome => {
    const url = site.url(welcome)
    const close = drive(url, () => site.gaveUp(url))
    t.teardown(async () => close())
  })
}

async function seenInPage(t: ExecutionContext, client: Client): Promise<Behaviour> {
  const site = await openSite(t)
  const other = await serve((_request, response) => {
    response.setHeader('content-type', 'text/html').end(BLANK)
  }, t)
  const page = await openPage(t, client.where === 'same origin' ? site.page : other.url)
  await page.exposeFunction('ended', site.gaveUp)
  for (const script of client.scripts ?? []) await page.addScriptTag({ path: join(ROOT, 'node_modules', script) })
  await page.addScriptTag({ content: await bundle() })
  return observe(site, welcome => page.evaluate(`drive('${client.package ?? 'EventSource'}', '${site.url(welcome)}')`))
}

/** The drivers, for a page. */
async function bundle(): Promise<string> {
  // From the folder that npm and ava run in.
  const entryPoints = ['test/clients/in-page.js']
  const { outputFiles } = await build({ entryPoints, bundle: true, write: false, logLevel: 'error' })
  return outputFiles[0]?.text ?? ''
}

import test from 'ava'
import { launchChromium } from './chromium.ts'
import { serve } from './server.ts'

test('a page of ours opens in a real browser with an EventSource', async t => {
  const { url } = await serve((request, response) => {
    if (request.url !== '/events') return response.setHeader('content-type', 'text/html').end('<title>page</title>')
    response.setHeader('content-type', 'text/event-stream').write('data: hello\n\n')
  }, t)
  const page = await (await launchChromium(t)).newPage()
  await page.goto(url)
  const data = await page.evaluate(`new Promise(resolve => {
    new EventSource('/events').onmessage = event => resolve(event.data)
  })`)
  t.is(data, 'hello')
})

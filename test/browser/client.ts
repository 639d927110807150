import { inBrowsers } from './in-browsers.ts'
import { openLiveSite } from './live-site.ts'
import { RETRY } from './site.ts'

inBrowsers('connect() tells the status of a refusal', async (t, openPage) => {
  const { lists } = await openLiveSite(t, openPage, { stream: { subscribe: (_, ctx) => ctx.throw(403) } })
  for (const { stream } of lists.values()) t.is((await stream.next('ended')).data, 'status 403')
})

inBrowsers('connect() loads the state where events are missing, and goes on from there', async (t, openPage) => {
  const { lists, cable, publish, shown } = await openLiveSite(t, openPage, { history: 2, stream: { retry: RETRY } })
  for (const { stream } of lists.values()) await stream.next('open')
  await shown(await publish())
  cable.cut()
  for (const { stream } of lists.values()) await stream.next('waiting')
  for (let n = 2; n <= 6; n += 1) await publish()
  cable.mend()
  for (const { stream } of lists.values()) await stream.next('open')
  await shown(await publish())
  for (const { numbers, stream } of lists.values()) {
    t.deepEqual(numbers, [1, 2, 3, 4, 5, 6, 7])
    t.deepEqual(
      stream.all('load').map(({ data }) => data),
      ['start', 'trimmed'],
    )
  }
})

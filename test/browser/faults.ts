import { setTimeout } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import { PASS, type Fault as ProxyFault } from '../client/faulty-proxy.ts'
import { serve } from '../support/http.ts'
import type { LiveOptions, LiveSite } from './live-site.ts'

/** Something that comes between a page and its server. */
export interface Fault extends LiveOptions {
  readonly title: string
  /** From when the time is taken in which the page reads on. */
  readonly from: string
  /**
   * Happens, with an event published that the page cannot have been told. Answers the moment from which the time is taken,
   * of `performance.now()`; nothing is in the way any more.
   */
  happen(t: ExecutionContext, site: LiveSite, silence: number): Promise<number>
}

/** Cuts the connection, and answers every attempt so until each stream has told that reason. */
function answering(fault: ProxyFault, reason: string): Fault['happen'] {
  return async (_t, site) => {
    site.fault = fault
    site.cable.cut()
    site.cable.mend()
    for (const { stream } of site.lists.values()) {
      while ((await stream.next('waiting')).data !== reason);
    }
    await site.publish()
    site.fault = PASS
    return performance.now()
  }
}

const cut: Fault['happen'] = async (_t, { cable, publish }) => {
  const start = performance.now()
  cable.cut()
  await publish()
  cable.mend()
  return start
}

const silent: Fault['happen'] = async (_t, { cable, publish }) => {
  const start = performance.now()
  cable.strand()
  await publish()
  return start
}

/** The page's thread stands still, as that of a device that sleeps, while another page is to be seen. */
const sleep: Fault['happen'] = async (t, { page, cable, publish }, silence) => {
  let wokenAt = 0
  const clock = await serve(async (_request, response) => {
    await setTimeout(silence)
    wokenAt = performance.now()
    response.setHeader('access-control-allow-origin', '*').end()
  }, t)
  const other = await page.newTab()
  await other.bringToFront()
  cable.strand()
  await publish()
  await page.evaluate(`{
    const sleep = new XMLHttpRequest()
    sleep.open('GET', '${clock.url}', false)
    sleep.send()
  }`)
  await page.bringToFront()
  return wokenAt
}

const network: Fault['happen'] = async (_t, { page, cable, publish }) => {
  await page.setOffline(true)
  cable.strand()
  await publish()
  const start = performance.now()
  await page.setOffline(false)
  return start
}

/** Chromium keeps the page, and brings it back; Firefox keeps none that had a stream, and loads it anew. */
const leave: Fault['happen'] = async (_t, { page, url, publish }) => {
  await page.goto(url)
  await publish()
  const start = performance.now()
  await page.evaluate('void setTimeout(() => history.back())')
  return start
}

const expire: Fault['happen'] = async (_t, { lists, publish }) => {
  for (const { stream } of lists.values()) while ((await stream.next('waiting')).data !== 'expired');
  const start = performance.now()
  await publish()
  return start
}

export const faults: readonly Fault[] = [
  { title: 'a connection that is cut', from: 'the cut', happen: cut },
  { title: 'a connection that goes silent', from: 'the last byte', happen: silent },
  { title: 'a sleep', from: 'the page being seen again', happen: sleep },
  { title: 'a change of network', from: 'the new network', happen: network },
  { title: 'a page that was left, and gone back to', from: 'going back', happen: leave },
  {
    title: 'a 502 during a deploy',
    from: 'the end of the deploy',
    happen: answering({ kind: 'status', status: 502 }, 'status 502'),
  },
  {
    title: 'a login page in place of the stream',
    from: 'the end of the login page',
    happen: answering({ kind: 'page' }, 'not-a-stream'),
  },
  { title: 'a ticket that was used', from: 'the cut', credentials: 'ticket', happen: cut },
  {
    title: 'a token that has expired',
    from: 'the expiry',
    credentials: 'token',
    transports: ['fetch'],
    happen: expire,
  },
]

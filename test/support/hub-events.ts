import type { Hub, HubEvents } from 'koa-event-stream'

/** What a hub has told so far. */
export interface Told {
  readonly opens: HubEvents['open'][0][]
  readonly closes: HubEvents['close'][0][]
  readonly refusals: HubEvents['refuse'][0][]
  readonly faults: HubEvents['fault'][0][]
}

/** Keeps what a hub tells from now on. */
export function listen(hub: Hub): Told {
  const told: Told = { opens: [], closes: [], refusals: [], faults: [] }
  hub.on('open', open => told.opens.push(open))
  hub.on('close', close => told.closes.push(close))
  hub.on('refuse', refusal => told.refusals.push(refusal))
  hub.on('fault', fault => told.faults.push(fault))
  return told
}

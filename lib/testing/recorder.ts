import { listenTo } from '../diagnostics.ts'
import type { Hub } from '../hub/hub.ts'
import type { HubEvents } from '../hub/lifecycle.ts'
import type { EventMap } from '../wire/event.ts'
import { isOfKit } from './fence.ts'
import { DEFAULT_WITHIN, Journal } from './journal.ts'
import type { WaitOptions } from './test-stream.ts'

/** An event that a hub has published. */
export type PublishedEvent<Events extends object = EventMap> = string extends keyof Events
  ? Published<string | undefined, unknown>
  : { [Name in keyof Events & string]: Published<NameOf<Name>, Events[Name]> }[keyof Events & string]

// An event without a name is a `message`.
type NameOf<Name extends string> = Name extends 'message' ? Name | undefined : Name

interface Published<Name, Data> {
  readonly topics: readonly string[]
  readonly event: Name
  /** As it was given. */
  readonly data: Data
  readonly id: string
}

/** What a hub has told its listeners, by the names of its events. */
type Told<Name extends keyof HubEvents> = HubEvents[Name][0]

/**
 * What happens at a hub, from the moment on in which it is made: what this instance has published, and its lifecycle events.
 * Publishes that have failed, and the kit's own, are not among them.
 */
export interface Recorder<Events extends object = EventMap> {
  readonly published: readonly PublishedEvent<Events>[]
  readonly opened: readonly Told<'open'>[]
  readonly closed: readonly Told<'close'>[]
  readonly refusals: readonly Told<'refuse'>[]
  readonly gaps: readonly Told<'gap'>[]
  readonly faults: readonly Told<'fault'>[]
  readonly losses: readonly Told<'lost'>[]
  /**
   * Waits for a lifecycle event. Each is answered once, those that have been there already first.
   *
   * @throws {Error} as a rejection, after `within` milliseconds; default 4,000
   */
  next<Name extends keyof HubEvents>(name: Name, options?: WaitOptions): Promise<Told<Name>>
  /** Records nothing more. */
  stop(): void
  [Symbol.dispose](): void
}

interface Entry {
  readonly name: keyof HubEvents
  readonly told: unknown
}

/**
 * Records what happens at a hub, to be looked at by a test. Since it listens to faults, losses and refusals, they are no
 * warnings of the process meanwhile.
 */
export function recorder<Events extends object = EventMap>(hub: Hub<Events>): Recorder<Events> {
  const published: PublishedEvent<Events>[] = []
  const journal = new Journal<Entry>(
    (): string => `What has happened: ${journal.entries.map(({ name }) => name).join(', ')}`,
  )
  const stops = NAMES.map(name => {
    const listener = (told?: unknown): void => {
      journal.add({ name, told })
    }
    hub.on(name, listener)
    return () => hub.off(name, listener)
  })
  const stopPublished = listenTo(
    hub,
    'tracing:koa-event-stream.publish:asyncEnd',
    ({ topics, event, result, error }) => {
      if (error !== undefined) return
      const { event: name, data } = event as { readonly event?: string; readonly data?: unknown }
      if (name !== undefined && isOfKit(name)) return
      const list = typeof topics === 'string' ? [topics] : [...topics]
      // The hub's map is what its events are held to.
      published.push({ topics: list, event: name, data, id: result } as unknown as PublishedEvent<Events>)
    },
  )
  const toldOf = <Name extends keyof HubEvents>(wanted: Name): readonly Told<Name>[] =>
    journal.entries.filter(({ name }) => name === wanted).map(({ told }) => told as Told<Name>)
  const stop = (): void => {
    stopPublished()
    for (const end of stops) end()
  }
  return {
    published,
    get opened() {
      return toldOf('open')
    },
    get closed() {
      return toldOf('close')
    },
    get refusals() {
      return toldOf('refuse')
    },
    get gaps() {
      return toldOf('gap')
    },
    get faults() {
      return toldOf('fault')
    },
    get losses() {
      return toldOf('lost')
    },
    next: async <Name extends keyof HubEvents>(name: Name, { within = DEFAULT_WITHIN }: WaitOptions = {}) => {
      const fits = (entry: Entry): entry is Entry => entry.name === name
      const wait = { what: `\`${name}\` of the hub`, within }
      const { told } = await journal.take(fits, () => undefined, wait)
      return told as Told<Name>
    },
    stop,
    [Symbol.dispose]: stop,
  }
}

const NAMES = [
  'open',
  'close',
  'refuse',
  'gap',
  'fault',
  'ready',
  'lost',
  'drain',
] as const satisfies (keyof HubEvents)[]

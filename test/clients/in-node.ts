import { EventSource as EventSource4 } from 'eventsource'
import EventSource2 from 'eventsource-2'
import { EventSource as EventSource3 } from 'eventsource-3'
import { EventSource as EventSource5 } from 'eventsource-5'
import { EventSource as LaunchDarkly } from 'launchdarkly-eventsource'
import { EventSource as Undici } from 'undici'
import type { Driver } from './driver.ts'

interface EventSourceLike {
  readonly readyState: number
  addEventListener(name: 'error', listener: () => void): void
  close(): void
}

const CLOSED = 2

/** Those that are for Node. */
export const inNode: Readonly<Record<string, Driver>> = {
  'eventsource-2': likeEventSource(url => new EventSource2(url)),
  'eventsource-3': likeEventSource(url => new EventSource3(url)),
  eventsource: likeEventSource(url => new EventSource4(url)),
  'eventsource-5': likeEventSource(url => new EventSource5(url)),
  'launchdarkly-eventsource': likeEventSource(url => new LaunchDarkly(url)),
  undici: likeEventSource(url => new Undici(url)),
}

function likeEventSource(open: (url: string) => EventSourceLike): Driver {
  return (url, ended) => {
    const source = open(url)
    source.addEventListener('error', () => {
      // Some say it before they are closed.
      setImmediate(() => {
        if (source.readyState === CLOSED) ended()
      })
    })
    return () => source.close()
  }
}

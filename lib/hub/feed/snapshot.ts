import type { Clock } from '../../clock.ts'
import { callAside, callInTime } from '../../application.ts'
import type { EventInput } from '../../wire/event.ts'
import { encodeOwnEvent, type EventRules } from '../../wire/publication.ts'
import type { Snapshot as SnapshotFunction } from '../subscription.ts'
import type { Snapshot } from './snapshotting.ts'

/** What it takes to check and encode them, in time. */
interface SnapshotRules extends EventRules {
  readonly clock: Clock
}

/** A topic's state as frames, from a function of the application: it may throw, hang, or answer something else. */
export function snapshotOf(load: SnapshotFunction, rules: SnapshotRules, timeout: number): Snapshot {
  return async function* (signal) {
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => {
        reject(new Error('nobody needs the state any more'))
      })
    })
    aborted.catch(ignore)
    const inTime = <T>(call: () => T | PromiseLike<T>): Promise<T> =>
      Promise.race([callInTime({ clock: rules.clock, ms: timeout, what: '`snapshot`' }, call), aborted])

    const iterator = iteratorOf(await inTime(() => load(signal)))
    let isDone = false
    try {
      for (;;) {
        const next = await inTime(() => iterator.next())
        isDone = next.done === true
        if (next.done === true) return
        yield encodeOwnEvent(next.value, rules, true).frame
      }
    } finally {
      if (!isDone) callAside(() => iterator.return?.(), ignore)
    }
  }
}

function iteratorOf(events: unknown): Iterator<EventInput> | AsyncIterator<EventInput> {
  if (typeof events === 'object' && events !== null) {
    if (Symbol.asyncIterator in events) return (events as AsyncIterable<EventInput>)[Symbol.asyncIterator]()
    if (Symbol.iterator in events) return (events as Iterable<EventInput>)[Symbol.iterator]()
  }
  throw new TypeError('`snapshot` must answer an iterable of events, or an async one')
}

// A state that is given up is no news.
function ignore(): void {}

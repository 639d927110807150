import type { Clock } from '../../clock.ts'
import { callAside, callInTime } from '../../application.ts'
import type { EventInput } from '../../wire/event.ts'
import { encodeOwnEvent, type EventRules } from '../../wire/publication.ts'
import type { Snapshot as SnapshotFunction } from '../subscription.ts'
import type { Snapshot } from './snapshotting.ts'

interface SnapshotRules extends EventRules {
  readonly clock: Clock
}

/**
 * A topic's state as frames, from a function of the application, which may throw, hang or return anything.
 *
 * @param timeout milliseconds for each step: the call, and each event of its iterator
 */
export function snapshotOf(load: SnapshotFunction, rules: SnapshotRules, timeout: number): Snapshot {
  return async function* (signal) {
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => {
        reject(new Error('the state is no longer needed'))
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
  throw new TypeError('`snapshot` must return an iterable or async iterable of events')
}

// For errors of an abandoned snapshot.
function ignore(): void {}

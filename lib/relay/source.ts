import { callAside } from '../application.ts'
import type { Clock } from '../clock.ts'
import { EventStreamError } from '../errors.ts'
import { checkEvent, type EventInput } from '../wire/event.ts'
import { encodeBody } from '../wire/frame.ts'
import type { EventRules } from '../wire/publication.ts'
import { bare, END_KINDS, ID_BYTES, type BareEvent } from './batch.ts'
import { turn } from './turn.ts'

/** Starts a source, which should stop when the signal is aborted. */
export type Source = (signal: AbortSignal) => AsyncIterable<EventInput> | Promise<AsyncIterable<EventInput>>

/** A checked event of a source. */
export interface SourceEvent {
  readonly event: BareEvent
  /** Its size on the wire, without its id. */
  readonly bytes: number
}

interface Rules extends EventRules {
  readonly clock: Clock
}

// A source whose next event is always ready yields the event loop after this many events.
const EVENTS_A_TURN = 32

/**
 * The checked events of a source, until it ends or the signal is aborted. Its `return()` is called as soon as the
 * signal is aborted, even if the source hangs.
 *
 * @throws what the source throws, and for an invalid event
 */
export async function* readSource(source: Source, rules: Rules, signal: AbortSignal): AsyncGenerator<SourceEvent> {
  const isStopped = (): boolean => signal.aborted
  // The run may end before its source starts.
  if (isStopped()) return
  const iterator = iteratorOf(await source(signal))
  let isDone = false
  const stop = (): void => {
    if (isDone) return
    isDone = true
    callAside(() => iterator.return?.(), ignore)
  }
  if (signal.aborted) stop()
  else signal.addEventListener('abort', stop)
  try {
    for (let count = 1; !isStopped(); count += 1) {
      const next: unknown = await iterator.next()
      if (typeof next !== 'object' || next === null)
        throw new TypeError('the iterator of a run must return { done, value }')
      const { done, value } = next as IteratorResult<EventInput, unknown>
      if (done === true) isDone = true
      if (done === true || isStopped()) return
      yield readEvent(value, rules)
      if (count % EVENTS_A_TURN === 0) await turn(rules.clock)
    }
  } catch (error) {
    // `return()` is not called after the iterator has thrown, but is after an invalid event.
    isDone ||= !(error instanceof EventStreamError)
    throw error
  } finally {
    signal.removeEventListener('abort', stop)
    stop()
  }
}

function readEvent(value: EventInput, rules: Rules): SourceEvent {
  const checked = checkEvent(value, rules.redact)
  if (checked.id !== undefined) {
    throw new EventStreamError('ERR_EVENT_INVALID', 'the events of a run get their ids from the relay: leave `id` out')
  }
  if (checked.event !== undefined && END_KINDS.has(checked.event)) {
    const message = `an event of a run cannot have the name "${checked.event}": the relay uses that name for the end of a run`
    throw new EventStreamError('ERR_EVENT_INVALID', message)
  }
  const bytes = encodeBody(checked).length
  const most = rules.maxEventBytes - ID_BYTES
  if (bytes > most) {
    const message = `an event of ${String(bytes)} bytes is over the limit of ${String(most)} bytes of a run's event`
    throw new EventStreamError('ERR_EVENT_TOO_LARGE', message)
  }
  return { event: bare(checked), bytes }
}

function iteratorOf(iterable: unknown): AsyncIterator<EventInput> {
  if (typeof iterable === 'object' && iterable !== null && Symbol.asyncIterator in iterable) {
    const iterator: unknown = (iterable as AsyncIterable<EventInput>)[Symbol.asyncIterator]()
    if (typeof iterator === 'object' && iterator !== null && 'next' in iterator) {
      return iterator as AsyncIterator<EventInput>
    }
  }
  throw new TypeError('`run` must return an async iterable of events')
}

// Errors of a source that has been stopped are ignored.
function ignore(): void {}

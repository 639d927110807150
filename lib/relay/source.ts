import { callAside } from '../application.ts'
import type { Clock } from '../clock.ts'
import { EventStreamError } from '../errors.ts'
import { checkEvent, type EventInput } from '../wire/event.ts'
import { encodeBody } from '../wire/frame.ts'
import type { EventRules } from '../wire/publication.ts'
import { bare, END_KINDS, ID_BYTES, type BareEvent } from './batch.ts'
import { turn } from './turn.ts'

/** Begins a source, which is to stop when the signal is aborted. */
export type Source = (signal: AbortSignal) => AsyncIterable<EventInput> | Promise<AsyncIterable<EventInput>>

/** An event of a source that may be published. */
export interface SourceEvent {
  readonly event: BareEvent
  /** How large it is on the wire, without its id. */
  readonly bytes: number
}

interface Rules extends EventRules {
  readonly clock: Clock
}

// Events after which a source that always has the next one at hand lets others have a turn of the event loop.
const EVENTS_A_TURN = 32

/**
 * The events of a source, checked, until it is done or the signal is aborted. It is returned from as soon as that is, also
 * where it hangs.
 *
 * @throws whatever the source does wrong
 */
export async function* readSource(source: Source, rules: Rules, signal: AbortSignal): AsyncGenerator<SourceEvent> {
  const isStopped = (): boolean => signal.aborted
  // It may be over before it has begun.
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
        throw new TypeError('the source of a run answered no { done, value }')
      const { done, value } = next as IteratorResult<EventInput, unknown>
      if (done === true) isDone = true
      if (done === true || isStopped()) return
      yield readEvent(value, rules)
      if (count % EVENTS_A_TURN === 0) await turn(rules.clock)
    }
  } catch (error) {
    // An iterator that has thrown is not returned from; one whose event was wrong is.
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
    const message = `an event of a run cannot be called "${checked.event}": the relay says so itself how a run has ended`
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
  throw new TypeError('`run` must answer an async iterable of events')
}

// A source that is stopped has nothing more to say.
function ignore(): void {}

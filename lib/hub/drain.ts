import type { Clock } from '../clock.ts'
import { MIN_RETRY, MAX_RETRY } from '../wire/retry.ts'
import type { Subscriber } from './subscriber.ts'

/** How long a drain may take unless told otherwise, in milliseconds. */
export const DEFAULT_DRAIN_WITHIN = 10_000

/**
 * Ends streams, each after telling its client to come back at a random time within the window, so that whoever serves
 * them next is not met by all at once. Streams whose clients do not take the end in time are cut.
 */
export async function drainStreams(subscribers: readonly Subscriber[], within: number, clock: Clock): Promise<void> {
  const ends = subscribers.map(subscriber => {
    const { stream } = subscriber
    const ended = stream.closed
      ? Promise.resolve()
      : new Promise<void>(resolve => {
          stream.once('close', resolve)
        })
    subscriber.comeBackAfter = retryWithin(within, clock)
    stream.finish('drain')
    return ended
  })
  const cancel = clock.after(within, () => {
    for (const { stream } of subscribers) if (!stream.closed) stream.abandon('drain')
  })
  await Promise.all(ends)
  cancel()
}

function retryWithin(window: number, clock: Clock): number {
  const spread = Math.round(MIN_RETRY + clock.random() * Math.max(0, window - MIN_RETRY))
  return Math.min(MAX_RETRY, spread)
}

import type { Clock } from '../clock.ts'
import { MIN_RETRY, MAX_RETRY } from '../wire/retry.ts'
import type { Subscriber } from './subscriber.ts'

/** The default window of a drain, in milliseconds. */
export const DEFAULT_DRAIN_WITHIN = 10_000

/**
 * Ends streams. Each client is told to reconnect at a random time within the window, so that they do not all reach the
 * next server at once. Streams whose clients have not read the end when the window is over are cut.
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

import { setImmediate } from 'node:timers/promises'
import type { TestDoor } from '../koa/test-door.ts'
import { KIT_EVENT } from './fence.ts'

// Events that are published at once: a client that reads has taken them before the next ones come.
const AT_ONCE = 100
// The most events, and bytes, that it may take.
const MOST_EVENTS = 20_000
const MOST_BYTES = 33_554_432
// An engine may keep some more bytes than it says.
const SLACK = 1.125
const FILLING = 'x'.repeat(16_384)

/**
 * Has a topic's history overflow: publishes as many events of the kit's own as push out all that are there.
 *
 * @throws {TypeError} as a rejection, for a history that is too large for that
 */
export async function overflow(door: TestDoor, topic: string): Promise<void> {
  const { count, bytes } = door.limitsOf(topic)
  const isCounted = count <= MOST_EVENTS
  if (!isCounted && bytes > MOST_BYTES) {
    throw new TypeError(
      `the history of \`${topic}\` is too large to be trimmed (${count} events, ${bytes} bytes): give its broker a smaller \`history\` for tests`,
    )
  }
  const data = isCounted ? '' : FILLING
  const events = isCounted ? Math.max(1, count) : Math.ceil((bytes * SLACK) / FILLING.length)
  for (let published = 0; published < events; published += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, events - published) }, () =>
      door.publish(topic, { event: KIT_EVENT, data }),
    )
    await Promise.all(some)
    await setImmediate()
  }
}

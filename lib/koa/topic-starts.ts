import type { TopicStart } from '../hub/feed/origin.ts'
import { snapshotOf } from '../hub/feed/snapshot.ts'
import type { TopicWish } from '../hub/subscription.ts'
import { isPresenceTopic, topicOfPresence } from '../topic.ts'
import type { RouteConfig } from './route-config.ts'

/** Converts a resolver's topics to the feed's format. */
export function topicStarts(wishes: readonly TopicWish[], { hub, timeout }: RouteConfig): TopicStart[] {
  return wishes.map(({ topic, replay, snapshot, presence }) => {
    // History may no longer have the latest presence events, so presence starts from its state.
    if (isPresenceTopic(topic)) return { topic, replay: 0, snapshot: hub.audience.stateOf(topicOfPresence(topic)) }
    const state = snapshot === undefined ? undefined : snapshotOf(snapshot, hub, timeout)
    return { topic, replay, snapshot: state, presence }
  })
}

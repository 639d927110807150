import type { TopicStart } from '../hub/feed/origin.ts'
import { snapshotOf } from '../hub/feed/snapshot.ts'
import type { TopicRequest } from '../hub/subscription.ts'
import type { RouteConfig } from './route-config.ts'

/** What a resolver has asked for, as the feed takes it. */
export function topicStarts(requests: readonly TopicRequest[], { hub, timeout }: RouteConfig): TopicStart[] {
  return requests.map(({ topic, replay = 0, snapshot }) => ({
    topic,
    replay,
    snapshot: snapshot === undefined ? undefined : snapshotOf(snapshot, hub, timeout),
  }))
}

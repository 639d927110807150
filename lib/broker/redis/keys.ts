/**
 * The names of a log in Redis. All share one hash tag (Redis Cluster specification, "Hash tags"), so that a log lives
 * in one slot and one script can access all of it.
 */
export interface LogNames {
  /** Hash: the log's state, see `scripts.ts`. */
  readonly log: string
  /** String: where format 1 had a hash. */
  readonly guard: string
  /** Hash: idempotency keys of publishes. */
  readonly keys: string
  /** Sorted set: the order of these keys. */
  readonly keyOrder: string
  /** Channel of control messages between instances. */
  readonly control: string
  /** A key to test whether Redis accepts writes, in place of a topic's keys. */
  readonly probe: string
  /** Stream of the announcements sent on the control channel. */
  readonly announcements: string
  /** Channel of one instance, to prove that its connections have reached the same server. */
  session(id: string): string
  /** Stream of a topic's events. */
  events(topic: string): string
  /** String: a topic's last event, for as long as it could be in history. */
  last(topic: string): string
  /** Channel of a topic's events. */
  channel(topic: string): string
  /** The topic of a channel. */
  topicOf(channel: string): string
  /** A value of the key-value store. */
  value(key: string): string
  /** Sorted set: holders, by when their leases expire. */
  places(key: string): string
  /** Sorted set: the instances, by when their leases expire. */
  readonly instances: string
  /** Hash: the number of each instance's last presence change. */
  readonly numbers: string
  /** Sorted set: topics with unannounced presence changes, by when they changed. */
  readonly untold: string
  /** String: the last presence version of any topic. */
  readonly rosterVersion: string
  /** Set: the presence entries of an instance. */
  entries(instance: string): string
  /** Hash: the members present at a topic. */
  room(topic: string): string
}

export function logNames(name: string): LogNames {
  const tag = `{${name}}`
  const channels = `${tag}:topic:`
  return Object.freeze({
    log: `${tag}:log`,
    guard: `${tag}:older`,
    keys: `${tag}:keys`,
    keyOrder: `${tag}:key-order`,
    control: `${tag}:control`,
    session: (id: string) => `${tag}:session:${id}`,
    probe: `${tag}:probe`,
    announcements: `${tag}:announcements`,
    events: (topic: string) => `${tag}:events:${topic}`,
    last: (topic: string) => `${tag}:last:${topic}`,
    channel: (topic: string) => channels + topic,
    topicOf: (channel: string) => channel.slice(channels.length),
    value: (key: string) => `${tag}:value:${key}`,
    places: (key: string) => `${tag}:places:${key}`,
    instances: `${tag}:instances`,
    numbers: `${tag}:instance-numbers`,
    untold: `${tag}:untold`,
    rosterVersion: `${tag}:roster-version`,
    entries: (instance: string) => `${tag}:present:${instance}`,
    room: (topic: string) => `${tag}:room:${topic}`,
  })
}

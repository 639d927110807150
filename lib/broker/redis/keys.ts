/**
 * The names of a log in Redis. All share one hash tag (Redis Cluster specification, "Hash tags"), so that a log lives in
 * one slot and one script may touch all of it.
 */
export interface LogNames {
  /** Hash: the log's state, see `scripts.ts`. */
  readonly log: string
  /** String: where format 1 has a hash. */
  readonly guard: string
  /** Hash: the keys that were published with. */
  readonly keys: string
  /** Sorted set: in which order these came. */
  readonly keyOrder: string
  /** Channel on which instances tell each other what is no event. */
  readonly control: string
  /** In place of a topic's keys, where an instance finds out whether Redis takes writes. */
  readonly probe: string
  /** Stream of what was told on the control channel. */
  readonly announcements: string
  /** Channel of one instance's own, on which it proves that its connections have met one server. */
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
  /** Sorted set: who has a place, by when it ends. */
  places(key: string): string
  /** Sorted set: the instances, by when their leases end. */
  readonly instances: string
  /** Hash: the number of each instance's last change of who is present. */
  readonly numbers: string
  /** Sorted set: topics of which nobody has told yet that somebody has come or left, by when that was. */
  readonly untold: string
  /** String: the last version that a topic's roster got. */
  readonly rosterVersion: string
  /** Set: who is present where on an instance. */
  entries(instance: string): string
  /** Hash: who is present at a topic. */
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

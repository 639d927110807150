export const TOPICS = ['a', 'b', 'c', 'd', 'e', 'f', 'g'] as const

/** How much of a topic is kept. */
export interface Kept {
  readonly count: number
  readonly bytes: number
  /** Milliseconds. */
  readonly age: number
}

// Small enough that whoever is away or slow for a while misses something.
export const COMMON: Kept = { count: 25, bytes: 40_000, age: 6_000 }

/** The topic to which little is published: the log forgets its last event before there is another one. */
export const QUIET_TOPIC = 'd'

/** The topic that hardly anybody has: who publishes to it is often the only one who knows. */
export const LONELY_TOPIC = 'g'

const OWN: Readonly<Partial<Record<string, Partial<Kept>>>> = {
  [QUIET_TOPIC]: { age: 3_000 },
  e: { count: 6 },
  f: { count: 100, bytes: 100_000, age: 9_000 },
}

/** The topic at which whoever has it is present. */
export const ROOM = 'a'

// Of what a relay says there is enough for it to keep the rest beside the log.
const RUNS: Kept = { count: 500, bytes: 500_000, age: 90_000 }

/** What a topic has of its own, in place of what is common. */
export function ownOf(topic: string): Partial<Kept> | undefined {
  return topic.startsWith('relay:') ? RUNS : OWN[topic]
}

const ALL = new Map<string, Kept>()

export function keptOf(topic: string): Kept {
  if (topic.startsWith('relay:')) return RUNS
  let kept = ALL.get(topic)
  if (kept === undefined) ALL.set(topic, (kept = { ...COMMON, ...ownOf(topic) }))
  return kept
}

/** The shortest time for which anything is kept, in milliseconds. */
export const SHORTEST_AGE = Math.min(...TOPICS.map(topic => keptOf(topic).age))

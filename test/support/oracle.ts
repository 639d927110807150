import type { ModelLog } from './model-log.ts'
import type { ModelRecord, ToldGap } from './model-record.ts'

/** An event that is in the log, with its number among the publishes. */
interface Logged {
  readonly seq: number
  readonly number: number
  readonly topics: readonly string[]
}

/**
 * Compares all that a client was sent with all that was published, and answers what is wrong. To be asked when every
 * client has come to the end, since an event whose publisher was told of a failure is known by who has seen it.
 *
 * @param kept how many events a topic's history keeps at least
 */
export function complaintsOf(client: ModelRecord, log: ModelLog, kept: number): string[] {
  const own = eventsOf(client, log)
  return [...client.complaints, ...strangers(client, own), ...losses(client, own), ...falseGaps(client, own, kept)]
}

function eventsOf({ topics, start }: ModelRecord, { published }: ModelLog): Logged[] {
  const own: Logged[] = []
  for (const [number, event] of published.entries()) {
    if (event.seq === undefined || event.seq <= start || !event.topics.some(topic => topics.includes(topic))) continue
    own.push({ seq: event.seq, number, topics: event.topics })
  }
  return own.sort((a, b) => a.seq - b.seq)
}

function strangers({ received }: ModelRecord, own: readonly Logged[]): string[] {
  const expected = new Set(own.map(({ seq }) => seq))
  return [...received.keys()].filter(seq => !expected.has(seq)).map(seq => `${seq} is not the client’s`)
}

function losses(client: ModelRecord, own: readonly Logged[]): string[] {
  const isTold = ({ seq, topics }: Logged) =>
    client.gaps.some(gap =>
      topics.some(topic => gap.topics.includes(topic) && gap.after < seq && seq < endOf(client, gap, topic, own)),
    )
  return own
    .filter(event => !client.received.has(event.seq) && !isTold(event))
    .map(({ seq, topics }) => `${seq} of ${topics.join()} was lost in silence`)
}

// A gap of a topic ends with the next event of that topic alone.
function endOf({ received }: ModelRecord, { after }: ToldGap, topic: string, own: readonly Logged[]): number {
  return own.find(({ seq, topics }) => seq > after && topics.join() === topic && received.has(seq))?.seq ?? Infinity
}

function falseGaps({ gaps }: ModelRecord, own: readonly Logged[], kept: number): string[] {
  return gaps.flatMap(({ topics, reason, after, published }) => {
    if (reason !== 'trimmed') return [`a gap of ${topics.join()} after ${after} because of ${reason}`]
    return topics
      .filter(topic => {
        const next = own.filter(event => event.seq > after && event.topics.includes(topic))
        // History reached back as long as no more than it keeps had been published since.
        return next.filter(({ number }) => number < published).length <= kept
      })
      .map(topic => `a false gap of ${topic} after ${after}`)
  })
}

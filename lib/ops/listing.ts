import type { OpenStream } from '../hub/inspection.ts'
import { Least } from './least.ts'

/** Streams on a page of the list, at most. */
export const PAGE = 50
/** Characters of what is searched for, at most. */
export const LONGEST_SEARCH = 200
// Topics that are named of a stream, and characters of each, at most.
const NAMED_TOPICS = 5
const LONGEST_TOPIC = 100

/** A stream, as the page shows it. */
export interface StreamRow {
  readonly id: string
  readonly identity: string | null
  readonly instance: string
  /** Milliseconds since it was opened. */
  readonly age: number
  /** How many topics it has, and the names of some. */
  readonly topics: number
  readonly names: readonly string[]
  /** Bytes that wait for its client to read. */
  readonly buffered: number
}

/** A place in the list of all streams, which are in the order of these. */
export type Place = readonly [identity: string, instance: string, order: number]

/** Which part of the list is asked for. */
export interface Wish {
  /** What identities have in them, or the id of a stream; empty for all. */
  readonly search: string
  /** The place of the last stream that is known. */
  readonly after: Place | null
}

/** A stream with its place. */
export interface Listed {
  readonly place: Place
  readonly row: StreamRow
}

export function comparePlaces(a: Place, b: Place): number {
  return compare(a[0], b[0]) || compare(a[1], b[1]) || a[2] - b[2]
}

/** This instance's part of a page of the list, and whether it has more than fits on one. */
export function listStreams(
  eachStream: (visit: (stream: OpenStream) => void) => void,
  instance: string,
  { search, after }: Wish,
): Listed[] {
  const found = new Least<{ place: Place; stream: OpenStream }>(PAGE + 1, (a, b) => comparePlaces(a.place, b.place))
  eachStream(stream => {
    const place: Place = [stream.identity ?? '', instance, stream.order]
    if (after !== null && comparePlaces(place, after) <= 0) return
    if (search !== '' && !place[0].includes(search) && !stream.isCalled(search)) return
    found.add({ place, stream })
  })
  return found.items.map(({ place, stream }) => ({ place, row: rowOf(stream, instance) }))
}

export function rowOf(stream: OpenStream, instance: string): StreamRow {
  const { id, identity = null, age, topics, buffered } = stream
  const names = topics.slice(0, NAMED_TOPICS).map(shortened)
  return { id, identity, instance, age, topics: topics.length, names, buffered }
}

/** A topic, short enough to be shown. */
export function shortened(topic: string): string {
  return topic.length <= LONGEST_TOPIC ? topic : `${topic.slice(0, LONGEST_TOPIC)}…`
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}

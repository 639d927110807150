import { LONGEST_SEARCH, type Place, type Wish } from './listing.ts'

/** What instances ask each other for the page. */
export type Question =
  | { readonly ask: 'state' }
  | ({ readonly ask: 'streams' } & Wish)
  | TraceQuestion
  | { readonly ask: 'cut'; readonly stream: string }
  | { readonly ask: 'drain'; readonly instance: string }

/** What has happened since the last time? The first such question of a trace begins it. */
export interface TraceQuestion {
  readonly ask: 'trace'
  /** Which trace: no two have the same. */
  readonly trace: string
  readonly identity: string
  /** The number of the last entry of this instance that is known, by the name of the instance. */
  readonly known: Readonly<Record<string, number>>
  /** Whether the data of events is wanted. */
  readonly data: boolean
}

/** The longest name that anybody asks for: an `id` of an identity, of a stream, of an instance. */
export const LONGEST_NAME = 1_024

/** Reads what another instance has asked, which may be one of another version. */
export function readQuestion(body: unknown): Question | undefined {
  if (!isRecord(body)) return undefined
  const { ask, stream, instance } = body
  if (ask === 'state') return { ask }
  if (ask === 'cut') return isName(stream) ? { ask, stream } : undefined
  if (ask === 'drain') return isName(instance) ? { ask, instance } : undefined
  if (ask === 'streams') {
    const wish = readWish(body.search, body.after)
    return wish && { ask, ...wish }
  }
  return ask === 'trace' ? readTrace(body) : undefined
}

/** A part of the list of streams, unless it is none. */
export function readWish(search: unknown, after: unknown): Wish | undefined {
  if (typeof search !== 'string' || search.length > LONGEST_SEARCH) return undefined
  if (after === null) return { search, after }
  return isPlace(after) ? { search, after } : undefined
}

function readTrace({ trace, identity, known, data }: Record<string, unknown>): TraceQuestion | undefined {
  if (!isName(trace) || !isName(identity) || !isRecord(known)) return undefined
  const numbers = Object.entries(known).filter((entry): entry is [string, number] => typeof entry[1] === 'number')
  return { ask: 'trace', trace, identity, known: Object.fromEntries(numbers), data: data === true }
}

/** Whether something may be the name of an identity, a stream or an instance. */
export function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= LONGEST_NAME
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isPlace(value: unknown): value is Place {
  if (!Array.isArray(value)) return false
  const [identity, instance, order] = value as unknown[]
  return typeof identity === 'string' && typeof instance === 'string' && typeof order === 'number'
}

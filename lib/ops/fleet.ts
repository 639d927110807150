import type { HubEngine } from '../hub/engine.ts'
import { ABOUT } from './agent.ts'
import type { InstanceState, TopicRow } from './instance-state.ts'
import { comparePlaces, PAGE, shortened, type Listed, type Place, type StreamRow, type Wish } from './listing.ts'
import { isRecord, type Question, type TraceQuestion } from './question.ts'
import { Recent } from './recent.ts'
import type { TraceAnswer } from './trace-log.ts'

/** Milliseconds that instances have for their answers. */
const WITHIN = 2_000
// Milliseconds for which all pages of this instance share what was seen.
const SHARED = 1_900
// Rows of topics and of slow readers over all instances, at most.
const MOST_TOPICS = 20
const MOST_SLOW = 10

type Named = Omit<InstanceState, 'topTopics' | 'slowReaders'>

/** What all instances together say. */
export interface Overview {
  readonly instances: readonly Named[]
  /** Instances that live and have not answered. */
  readonly silent: readonly string[]
  /** Whether all that live have answered. */
  readonly complete: boolean
  readonly topics: readonly TopicRow[]
  readonly slow: readonly StreamRow[]
}

export interface StreamsPage {
  readonly streams: readonly StreamRow[]
  /** Where the next page begins; `null` where there is none. */
  readonly next: Place | null
  readonly complete: boolean
}

/** What has come of an action: whether some instance has done it, and whether all have answered. */
export interface Outcome {
  readonly done: boolean
  readonly complete: boolean
}

/** All instances of the application, as this one can ask them. */
export class Fleet {
  readonly #hub: HubEngine
  readonly #seen: Recent<Promise<Overview>>

  constructor(hub: HubEngine) {
    this.#hub = hub
    this.#seen = new Recent(hub.clock)
  }

  overview(): Promise<Overview> {
    return this.#seen.get(SHARED, () => this.#overview())
  }

  async streams(wish: Wish): Promise<StreamsPage> {
    const { answers, complete } = await this.#ask({ ask: 'streams', ...wish })
    const listings = [...answers.values()].filter(isListing)
    const all = listings.flat()
    all.sort((a, b) => comparePlaces(a.place, b.place))
    const page = all.slice(0, PAGE)
    const next = all.length > PAGE ? (page.at(-1)?.place ?? null) : null
    return { streams: page.map(({ row }) => row), next, complete: complete && listings.length === answers.size }
  }

  /** What has happened since the last time, by instances. */
  async trace(question: TraceQuestion): Promise<{ traces: ReadonlyMap<string, TraceAnswer>; complete: boolean }> {
    const { answers, complete } = await this.#ask(question)
    const traces = new Map([...answers].filter((entry): entry is [string, TraceAnswer] => isTrace(entry[1])))
    return { traces, complete: complete && traces.size === answers.size }
  }

  cut(stream: string): Promise<Outcome> {
    return this.#order({ ask: 'cut', stream })
  }

  drain(instance: string): Promise<Outcome> {
    return this.#order({ ask: 'drain', instance }, true)
  }

  async #overview(): Promise<Overview> {
    const { answers, complete, silent } = await this.#ask({ ask: 'state' })
    const states = [...answers.values()].filter(isState)
    states.sort((a, b) => (a.instance < b.instance ? -1 : 1))
    const slow = states.flatMap(({ slowReaders }) => slowReaders).sort((a, b) => b.buffered - a.buffered)
    return {
      instances: states.map(({ topTopics: _, slowReaders: __, ...state }) => state),
      silent,
      complete,
      topics: joinTopics(states),
      slow: slow.slice(0, MOST_SLOW),
    }
  }

  // One instance alone can do it.
  async #order(question: Question, isPatient = false): Promise<Outcome> {
    const { answers, complete } = await this.#ask(question, { isEnough: answer => answer === true, isPatient })
    return { done: [...answers.values()].includes(true), complete }
  }

  #ask(question: Question, options: { isEnough?: (answer: unknown) => boolean; isPatient?: boolean } = {}) {
    return this.#hub.surveys.ask(ABOUT, question, { within: WITHIN, ...options })
  }
}

/** Each event comes to every instance that listens to its topic: rates are not added up, streams are. */
function joinTopics(states: readonly InstanceState[]): TopicRow[] {
  const joined = new Map<string, TopicRow>()
  for (const { topic, streams, rate } of states.flatMap(({ topTopics }) => topTopics)) {
    const other = joined.get(topic)
    const most = other?.rate === undefined || other.rate === null ? rate : Math.max(other.rate, rate ?? 0)
    joined.set(topic, { topic, streams: streams + (other?.streams ?? 0), rate: most })
  }
  const rows = [...joined.values()].sort((a, b) => b.streams - a.streams || (b.rate ?? 0) - (a.rate ?? 0))
  const busiest = rows.toSorted((a, b) => (b.rate ?? 0) - (a.rate ?? 0)).slice(0, MOST_TOPICS / 2)
  const chosen = new Set([...rows.slice(0, MOST_TOPICS / 2), ...busiest])
  return rows.filter(row => chosen.has(row)).map(row => ({ ...row, topic: shortened(row.topic) }))
}

// What comes from instances of another version is shown as far as it has the shape that it should.

function isState(answer: unknown): answer is InstanceState {
  return (
    isRecord(answer) &&
    typeof answer.instance === 'string' &&
    Array.isArray(answer.topTopics) &&
    Array.isArray(answer.slowReaders)
  )
}

function isListing(answer: unknown): answer is readonly Listed[] {
  return (
    Array.isArray(answer) && answer.every(item => isRecord(item) && Array.isArray(item.place) && isRecord(item.row))
  )
}

function isTrace(answer: unknown): answer is TraceAnswer {
  return isRecord(answer) && Array.isArray(answer.entries) && typeof answer.dropped === 'number'
}

import { listenTo } from '../diagnostics.ts'
import type { HubEngine } from '../hub/engine.ts'
import type { HubEvents } from '../hub/lifecycle.ts'
import { decodeFrame } from '../wire/frame.ts'
import { shortened } from './listing.ts'
import type { TraceQuestion } from './question.ts'

/** Milliseconds that a trace lasts. */
export const TRACE_FOR = 60_000
// Milliseconds after which one ends that nobody asks for any more.
const PATIENCE = 10_000
// Entries that wait to be asked for, and that are answered at once, at most.
const KEPT = 500
const ANSWERED = 100
// Characters of an event's data, and topics of an entry, at most.
const LONGEST_DATA = 1_024
const NAMED_TOPICS = 5

/** What has happened to a stream, or to a request for one. */
export interface TraceEntry {
  /** Numbers of an instance's entries, each greater than the one before. */
  readonly n: number
  /** Milliseconds since 1970. */
  readonly at: number
  readonly what: 'is open' | 'opened' | 'closed' | 'refused' | 'gap' | 'event'
  readonly stream?: string
  /** Why it was closed, refused or told of a gap. */
  readonly reason?: string
  readonly status?: number
  /** Milliseconds that it lived. */
  readonly duration?: number
  readonly topics?: readonly string[]
  /** An event's name, and its bytes on the wire. */
  readonly event?: string
  readonly bytes?: number
  readonly data?: string
}

export interface TraceAnswer {
  readonly entries: readonly TraceEntry[]
  /** How many were left out, since too much has happened at once. */
  readonly dropped: number
}

type Happening = Omit<TraceEntry, 'n' | 'at'>

/** What happens to the streams of one identity on this instance, written down for a minute, as long as somebody asks. */
export class TraceLog {
  readonly #hub: HubEngine
  readonly #identity: string
  readonly #data: boolean
  readonly #stops: (() => void)[] = []
  #entries: TraceEntry[] = []
  #number: number
  #dropped = 0
  #askedAt: number

  /**
   * @param options.after the number of the last entry that is known
   * @param options.ended is called once it writes nothing down any more
   */
  constructor(
    hub: HubEngine,
    { identity, data }: TraceQuestion,
    { after, ended }: { readonly after: number; readonly ended: () => void },
  ) {
    this.#hub = hub
    this.#identity = identity
    this.#data = data
    this.#number = after
    const startedAt = hub.clock.monotonic()
    this.#askedAt = startedAt
    this.#watch()
    const look = hub.clock.every(PATIENCE / 4, () => {
      const now = hub.clock.monotonic()
      if (now - startedAt < TRACE_FOR + PATIENCE && now - this.#askedAt < PATIENCE) return
      this.#stop()
      ended()
    })
    this.#stops.push(look)
  }

  /** What there is behind the entry of a number. What is before it is known, and forgotten. */
  read(after: number): TraceAnswer {
    this.#askedAt = this.#hub.clock.monotonic()
    this.#entries = this.#entries.filter(({ n }) => n > after)
    return { entries: this.#entries.slice(0, ANSWERED), dropped: this.#dropped }
  }

  #stop(): void {
    for (const stop of this.#stops.splice(0)) stop()
  }

  #watch(): void {
    const hub = this.#hub
    hub.inspection.eachStream(({ id, identity, age, topics }) => {
      if (identity === this.#identity)
        this.#add({ what: 'is open', stream: id, duration: age, topics: topicsOf(topics) })
    })
    const open = ({ stream }: HubEvents['open'][0]): void => {
      if (this.#isOurs(stream)) this.#add({ what: 'opened', stream: stream.id })
    }
    const close = ({ stream, reason, duration }: HubEvents['close'][0]): void => {
      if (this.#isOurs(stream)) this.#add({ what: 'closed', stream: stream.id, reason, duration })
    }
    const gap = ({ stream, gap: { topics, reason } }: HubEvents['gap'][0]): void => {
      if (this.#isOurs(stream)) this.#add({ what: 'gap', stream: stream.id, reason, topics: topicsOf(topics) })
    }
    hub.on('open', open).on('close', close).on('gap', gap)
    this.#stops.push(
      () => hub.off('open', open).off('close', close).off('gap', gap),
      listenTo(hub, 'koa-event-stream.refusal', ({ identity, reason, status }) => {
        if (identity?.id === this.#identity) this.#add({ what: 'refused', reason, status })
      }),
      listenTo(hub, 'koa-event-stream.sent', ({ stream, events }) => {
        if (!this.#isOurs(stream)) return
        for (const { event, topics } of events) this.#addEvent(stream.id, event.frame, topics)
      }),
    )
  }

  #addEvent(stream: string, frame: Uint8Array, topics: readonly string[]): void {
    if (this.#isFull()) return
    const { event, data } = decodeFrame(frame)
    const shown = this.#data ? { data: copied(data.slice(0, LONGEST_DATA)) } : {}
    const name = copied(shortened(event))
    this.#add({ what: 'event', stream, topics: topicsOf(topics), event: name, bytes: frame.length, ...shown })
  }

  #add(happening: Happening): void {
    if (this.#isFull()) return
    this.#number += 1
    this.#entries.push({ n: this.#number, at: this.#hub.clock.now(), ...happening })
  }

  #isFull(): boolean {
    const isFull = this.#entries.length >= KEPT
    if (isFull) this.#dropped += 1
    return isFull
  }

  #isOurs({ identity }: { readonly identity: { readonly id: string } | undefined }): boolean {
    return identity?.id === this.#identity
  }
}

/** A part of a text by itself: V8 would keep the whole text, of megabytes, for as long as its part. */
function copied(part: string): string {
  return Buffer.from(part).toString()
}

function topicsOf(topics: readonly string[]): string[] {
  return topics.slice(0, NAMED_TOPICS).map(shortened)
}

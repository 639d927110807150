import { listenTo } from '../diagnostics.ts'
import type { HubEngine } from '../hub/engine.ts'

// Milliseconds: rates are those of the last 5 to 10 seconds.
const SPAN = 5_000
// Topics whose events are counted one by one in a span; those of others count in the total only.
const MOST_TOPICS = 10_000
// Milliseconds after the last look until nothing is counted any more.
const PATIENCE = 15_000

/** What has come in a span of time. */
interface Span {
  readonly since: number
  readonly published: number
  readonly delivered: number
  readonly bytes: number
  arrivals: number
  lag: number
  worst: number
  readonly topics: Map<string, number>
}

/** How much is going on, a second. `null` where it has not been looked at for long enough. */
export interface Rates {
  readonly published: number | null
  readonly delivered: number | null
  readonly bytes: number | null
  /** Milliseconds from an event's append to the log until it came here: the mean, and the worst. */
  readonly lag: { readonly mean: number; readonly worst: number } | null
}

/** What is going on on this instance, counted while somebody looks: nothing is subscribed to, and no timer runs, before and after. */
export class Activity {
  readonly #hub: HubEngine
  #spans: readonly [before: Span, now: Span] | undefined
  #stop: (() => void) | undefined
  #lookedAt = 0

  constructor(hub: HubEngine) {
    this.#hub = hub
  }

  /** Counts from now on, until nobody has looked for a while. */
  look(): Rates {
    const now = this.#hub.clock.monotonic()
    this.#lookedAt = now
    if (this.#spans === undefined) this.#begin()
    const spans = (this.#spans ??= [this.#span(), this.#span()])
    const since = now - spans[0].since
    const rates = since < 1_000 ? UNKNOWN : ratesOf(spans, this.#span(), since)
    if (now - spans[1].since >= SPAN) this.#spans = [spans[1], this.#span()]
    return rates
  }

  /** Events of a topic a second; `null` as above, or where there were too many topics to count this one. */
  rateOf(topic: string): number | null {
    if (this.#spans === undefined) return null
    const since = this.#hub.clock.monotonic() - this.#spans[0].since
    if (since < 1_000) return null
    const counts = this.#spans.map(({ topics }) => topics.get(topic) ?? (topics.size < MOST_TOPICS ? 0 : NaN))
    const count = counts.reduce((sum, one) => sum + one, 0)
    return Number.isNaN(count) ? null : perSecond(count, since)
  }

  #begin(): void {
    const stopListening = listenTo(this.#hub, 'koa-event-stream.arrival', ({ topics, lag }) => {
      const span = this.#spans?.[1]
      if (span === undefined) return
      span.arrivals += 1
      span.lag += lag
      span.worst = Math.max(span.worst, lag)
      for (const topic of topics) {
        const count = span.topics.get(topic)
        if (count !== undefined || span.topics.size < MOST_TOPICS) span.topics.set(topic, (count ?? 0) + 1)
      }
    })
    const stopWaiting = this.#hub.clock.every(PATIENCE / 3, () => {
      if (this.#hub.clock.monotonic() - this.#lookedAt >= PATIENCE) this.#end()
    })
    this.#stop = () => {
      stopListening()
      stopWaiting()
    }
  }

  #end(): void {
    this.#stop?.()
    this.#stop = undefined
    this.#spans = undefined
  }

  #span(): Span {
    const { published, delivered, sentBytes: bytes } = this.#hub.stats()
    const since = this.#hub.clock.monotonic()
    return { since, published, delivered, bytes, arrivals: 0, lag: 0, worst: 0, topics: new Map() }
  }
}

const UNKNOWN: Rates = Object.freeze({ published: null, delivered: null, bytes: null, lag: null })

function ratesOf([before, now]: readonly [Span, Span], end: Span, ms: number): Rates {
  const arrivals = before.arrivals + now.arrivals
  return {
    published: perSecond(end.published - before.published, ms),
    delivered: perSecond(end.delivered - before.delivered, ms),
    bytes: Math.round(perSecond(end.bytes - before.bytes, ms)),
    lag:
      arrivals === 0
        ? null
        : { mean: rounded((before.lag + now.lag) / arrivals), worst: rounded(Math.max(before.worst, now.worst)) },
  }
}

function perSecond(count: number, ms: number): number {
  return rounded((count * 1_000) / ms)
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10
}

import type { HubEngine } from '../hub/engine.ts'
import { Activity } from './activity.ts'
import { instanceState, type InstanceState } from './instance-state.ts'
import { listStreams, type Listed, type Wish } from './listing.ts'
import { readQuestion, type Question, type TraceQuestion } from './question.ts'
import { Recent } from './recent.ts'
import { TraceLog, type TraceAnswer } from './trace-log.ts'

/** What surveys of these routes are about. */
export const ABOUT = 'ops'

// Traces that an instance writes down at once, whoever has asked for them.
const MOST_TRACES = 20
// Milliseconds for which whoever asks is answered the same: to look at all streams and topics takes its time.
const SHARED = 1_000
// Parts of the list that are kept so long, at most.
const MOST_LISTS = 20

/** What an instance answers; `null` to what it does not understand, or has no room for. */
export type Answer = InstanceState | readonly Listed[] | TraceAnswer | boolean | null

const agents = new WeakMap<HubEngine, Agent>()

/** Has this instance answer what pages on any instance ask. Once a hub, however many pages it has. */
export function installAgent(hub: HubEngine): void {
  if (agents.has(hub)) return
  const agent = new Agent(hub)
  agents.set(hub, agent)
  hub.surveys.handle(ABOUT, body => agent.answer(readQuestion(body)))
}

/** This instance's part of the page. */
class Agent {
  readonly #hub: HubEngine
  readonly #activity: Activity
  readonly #state: Recent<InstanceState>
  readonly #lists = new Map<string, Recent<readonly Listed[]>>()
  readonly #traces = new Map<string, TraceLog>()

  constructor(hub: HubEngine) {
    this.#hub = hub
    this.#activity = new Activity(hub)
    this.#state = new Recent(hub.clock)
  }

  answer(question: Question | undefined): Answer {
    const hub = this.#hub
    // Without a stream it would not be known, nor its answer waited for, from the next question on.
    void hub.instances.enter()
    switch (question?.ask) {
      case 'state':
        return this.#state.get(SHARED, () => instanceState(hub, this.#activity))
      case 'streams':
        return this.#list(question)
      case 'trace':
        return this.#trace(question)
      case 'cut':
        // Whoever has cut a stream looks whether it has gone.
        this.#lists.clear()
        return hub.inspection.cut(question.stream)
      case 'drain':
        return this.#drain(question.instance)
      default:
        return null
    }
  }

  // Pages that show the same part of the list ask for it at the same pace.
  #list({ search, after }: Wish): readonly Listed[] {
    const { clock, inspection, instances } = this.#hub
    const part = JSON.stringify([search, after])
    if (!this.#lists.has(part) && this.#lists.size === MOST_LISTS) this.#lists.clear()
    const recent = this.#lists.get(part) ?? new Recent(clock)
    this.#lists.set(part, recent)
    return recent.get(SHARED, () =>
      listStreams(
        visit => {
          inspection.eachStream(visit)
        },
        instances.id,
        { search, after },
      ),
    )
  }

  #trace(question: TraceQuestion): TraceAnswer | null {
    const { trace, known } = question
    const after = known[this.#hub.instances.id] ?? 0
    let log = this.#traces.get(trace)
    if (log === undefined) {
      if (this.#traces.size >= MOST_TRACES) return null
      // One that nobody could ask for in time begins anew, behind what is known of it.
      log = new TraceLog(this.#hub, question, { after, ended: () => this.#traces.delete(trace) })
      this.#traces.set(trace, log)
    }
    return log.read(after)
  }

  #drain(instance: string): boolean {
    if (instance !== this.#hub.instances.id) return false
    this.#hub.drain().catch((error: unknown) => {
      this.#hub.failed('drain', error)
    })
    return true
  }
}

import type { ControlMessage } from '../../lib/broker/broker.ts'
import type { StoredEvent } from '../../lib/broker/event-log.ts'
import { HubEngine, type HubParts } from '../../lib/hub/engine.ts'
import { Runs } from '../../lib/relay/runs.ts'
import { discardsQueue } from '../../lib/stream/close-reason.ts'
import { compacted } from './answer.ts'
import type { Ledger } from './ledger.ts'
import type { LogService } from './log-service.ts'
import { keptOf, TOPICS } from './kept.ts'
import type { Line } from './network.ts'
import { RemoteBroker } from './remote-broker.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import type { Trace } from './trace.ts'
import type { Visit } from './visit.ts'
import { MARGIN, toldNow } from './told-gap.ts'

/** The largest event that may be published, in bytes. */
export const MAX_EVENT_BYTES = 6_000

/** Milliseconds after which an instance that has died is gone. */
export const LEASE = 3_000

/** Milliseconds after which readers of a run are told that its producer has died. */
export const RUN_LEASE = 2_000

export interface InstanceParts {
  readonly process: SimulatedProcess
  readonly service: LogService
  readonly line: Line
  readonly ledger: Ledger
  readonly trace: Trace
  /** An event of topics is about to be handed to streams. */
  readonly handing: (topics: readonly string[]) => void
}

/** A real hub that takes note of how far its streams had got when a login was ended. */
class ObservedHub extends HubEngine {
  readonly #name: string
  readonly #visits: ReadonlySet<Visit>
  readonly #trace: Trace
  readonly #handing: (topics: readonly string[]) => void

  constructor(visits: ReadonlySet<Visit>, { process, trace, handing }: InstanceParts, parts: HubParts) {
    super(parts)
    this.#name = process.name
    this.#trace = trace
    this.#handing = handing
    this.#visits = visits
  }

  override event(topics: readonly string[], event: StoredEvent): void {
    this.#trace.note(() => `  ${this.#name} hands on ${String(event.seq)} of ${topics.join()}`)
    this.#handing(topics)
    super.event(topics, event)
  }

  override control(message: ControlMessage): void {
    const open = [...this.#visits].filter(({ hasEnded, stream }) => !hasEnded && stream !== undefined)
    const handed = new Map(open.map(visit => [visit, visit.sink.handed]))
    super.control(message)
    for (const [visit, bytes] of handed) {
      const reason = visit.stream?.closeReason
      if (reason !== undefined && discardsQueue(reason)) visit.ended(bytes)
    }
  }
}

/** A process of the application: a real hub, on a simulated network. */
export class Instance {
  readonly process: SimulatedProcess
  readonly line: Line
  readonly hub: HubEngine
  readonly runs: Runs
  readonly visits = new Set<Visit>()
  /** Who is to hear when it crashes. */
  readonly deaths = new Set<() => void>()
  /** Errors that are none of the broker's: something is wrong with the program. */
  readonly complaints: string[] = []
  isReady = false
  #lostAt = 0
  // For how long it had heard nothing when it was ready last, and when that was.
  #silence = 0
  #readyAt = 0

  constructor(parts: InstanceParts) {
    const { process, service, line, ledger, trace } = parts
    this.process = process
    this.line = line
    const broker = new RemoteBroker({ process, service, line })
    this.hub = new ObservedHub(this.visits, parts, {
      broker,
      clock: process,
      maxEventBytes: MAX_EVENT_BYTES,
      maxEventBytesGiven: true,
      redact: undefined,
      lease: LEASE,
      presence: { grace: 1_000 },
    })
    this.runs = new Runs({
      hub: this.hub,
      name: 'runs',
      lease: RUN_LEASE,
      keep: 60_000,
      linger: 50,
      limits: { identity: 100, process: 100, size: 1_048_576 },
    })
    this.runs.views.compact = compacted
    this.hub.on('ready', () => {
      this.#silence = process.age - this.#lostAt
      this.#readyAt = process.age
      this.isReady = true
      ledger.asked(process)
      trace.note(() => `${process.name} is ready`)
    })
    this.hub.on('lost', () => {
      if (this.isReady) this.#lostAt = process.age
      this.isReady = false
      trace.note(() => `${process.name} has lost the log`)
    })
    this.hub.on('fault', ({ during, error }) => {
      trace.note(() => `${process.name} fault ${during}`)
      if (isMistake(error)) this.complaints.push(`${process.name}, ${during}: ${String(error)}`)
    })
    this.hub.on('gap', ({ stream, gap }) => {
      trace.note(() => `${process.name} tells ${stream.identity?.id ?? ''} ${gap.reason} of ${gap.topics.join()}`)
      for (const visit of this.visits)
        if (visit.stream === stream) visit.toldGaps.push(toldNow(ledger, gap, broker.position().epoch, this.#silentFor))
    })
    this.hub.on('refuse', () => {})
  }

  // For how many milliseconds it may have heard nothing of the log.
  get #silentFor(): number {
    const { age: now, frozenFor, frozenUntil } = this.process
    const frozen = frozenUntil > now - LONGEST_AGE ? frozenFor : 0
    const silence = now - this.#readyAt < MARGIN ? this.#silence : 0
    return Math.max(frozen, this.isReady ? silence : now - this.#lostAt)
  }

  /** The process is gone at once, and with it all connections. */
  crash(): void {
    this.process.die()
    this.line.cut()
    for (const visit of [...this.visits]) visit.lost()
    for (const told of [...this.deaths]) told()
  }
}

const LONGEST_AGE = Math.max(...TOPICS.map(topic => keptOf(topic).age))

function isMistake(error: unknown): boolean {
  return error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError
}

import type { Context } from 'koa'
import { createIdentity } from '../../lib/auth/identity.ts'
import { readSubscription } from '../../lib/hub/subscription.ts'
import type { StreamPolicy } from '../../lib/hub/stream-policy.ts'
import { sourceOf } from '../../lib/koa/source.ts'
import { serve } from '../../lib/relay/serve.ts'
import type { Random } from '../support/random.ts'
import { SimulatedSink } from '../support/simulated-sink.ts'
import { AnswerView } from './answer-view.ts'
import type { Instance } from './instance.ts'
import type { World } from './world.ts'

const IDENTITY = createIdentity({ id: 'reader', scheme: 'none' })

/** A request of a reader, on an instance. */
interface Reading {
  readonly instance: Instance
  readonly sink: SimulatedSink
  leave: () => void
  readonly gone: () => void
}

/** Reads an answer up to its end, and always comes back with its cursor. */
export class AnswerReader {
  readonly view: AnswerView
  readonly id: string
  /** Whether it has all that it ever will, and was told so when it came back. */
  isDone = false
  readonly #world: World
  readonly #random: Random
  readonly #policy: StreamPolicy
  #reading: Reading | undefined
  #text = ''
  #isReading = false
  #isCalm = false

  constructor(id: string, world: World, random: Random, policy: StreamPolicy) {
    this.id = id
    this.#world = world
    this.#random = random
    this.#policy = policy
    this.view = new AnswerView(world.service.runs)
  }

  connect(): void {
    const instance = this.#world.pickInstance(this.#random)
    if (instance === undefined) {
      this.#comeBack()
      return
    }
    const sink = new SimulatedSink({
      kernel: 512,
      later: task => void instance.process.after(0.1, task),
      news: () => {
        if (this.#reading === reading) this.#readSoon()
      },
    })
    const gone = (): void => this.#gone(reading)
    const reading: Reading = { instance, sink, leave: () => undefined, gone }
    this.#reading = reading
    this.#text = ''
    instance.deaths.add(gone)
    instance.process.run(() => {
      this.#open(reading).catch(gone)
    })
    if (!this.#isCalm && this.#random.chance(0.4))
      this.#world.time.after(this.#random.next() * 1_500, () => this.#cut(reading))
  }

  /** From now on it stays. */
  calm(): void {
    this.#isCalm = true
  }

  async #open(reading: Reading): Promise<void> {
    const { hub, runs } = reading.instance
    if (hub.draining) throw new Error('draining')
    const lastEventId = this.view.cursor
    const subscriber = hub.enter(this.#policy, {
      identity: IDENTITY,
      revalidation: undefined,
      address: '',
      lastEventId,
      isEventSource: true,
    })
    const { stream } = subscriber
    reading.leave = () => stream.abandon('client')
    try {
      const record = await runs.find(this.id)
      const served = await serve(runs, record, stream as never, {} as Context, { isPlain: false, heartbeat: null })
      if (served === null || served === undefined) {
        // It may have left meanwhile.
        if (served === null && !stream.closed) this.#over()
        throw new Error('no stream')
      }
      await subscriber.open([], { position: hub.broker.position(), isKnown: true }, true)
      hub.opened(subscriber)
      stream.isPiped = true
      stream.writer.attach(reading.sink, subscriber.firstBytes())
      this.#world.trace.note(
        () => `a reader of ${this.id} comes to ${reading.instance.process.name} at ${lastEventId ?? 'nothing'}`,
      )
      sourceOf(readSubscription(served, { topics: [], maxTopics: 0 }), stream, hub).start()
    } catch (error) {
      stream.abandon('error')
      throw error
    }
  }

  // Nothing is left to come back for.
  #over(): void {
    this.#world.trace.note(() => `a reader of ${this.id} has nothing more to get`)
    if (this.view.end === undefined) this.view.complaints.push('nothing more is to come, and it has no end')
    this.isDone = true
  }

  #cut(reading: Reading): void {
    if (this.#reading !== reading) return
    reading.instance.process.run(reading.leave)
    this.#gone(reading)
  }

  #readSoon(): void {
    if (this.#isReading) return
    this.#isReading = true
    this.#world.time.after(this.#random.next() * 3, () => {
      this.#isReading = false
      const reading = this.#reading
      if (reading === undefined) return
      const { frozenUntil } = reading.instance.process
      if (frozenUntil > this.#world.time.now)
        this.#world.time.after(frozenUntil - this.#world.time.now, () => this.#readSoon())
      else this.#read(reading)
    })
  }

  #read(reading: Reading): void {
    const { trace } = this.#world
    for (const piece of reading.sink.read()) {
      trace.mix(piece.length)
      this.#text += Buffer.from(piece).toString('latin1')
    }
    const blocks = this.#text.split('\n\n')
    this.#text = blocks.pop() ?? ''
    for (const block of blocks) {
      trace.note(() => `  a reader of ${this.id} reads ${block.slice(0, 90).replaceAll('\n', ' | ')}`)
      this.view.block(`${block}\n`)
    }
    if (reading.sink.isOpen) return
    reading.sink.close()
    this.#gone(reading)
  }

  #gone(reading: Reading): void {
    reading.instance.deaths.delete(reading.gone)
    if (this.#reading !== reading) return
    this.#reading = undefined
    reading.sink.close()
    if (!this.isDone) this.#comeBack()
  }

  #comeBack(): void {
    this.#world.time.after(50 + this.#random.next() * 300, () => this.connect())
  }
}

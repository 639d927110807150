import { setTimeout } from 'node:timers/promises'
import type { ContenderName } from './contenders.ts'
import { Rig } from './rig.ts'
import type { Pace } from './tokens.ts'

/** What it took to bring an answer to readers on another instance. */
export interface Delivery {
  /** A second. */
  readonly publishes: number
  /** Of both instances and Redis, microseconds a token and reader. */
  readonly cpu: number
  /** Milliseconds from when a token was due until a reader has it. */
  readonly p50: number
  readonly p99: number
}

/** Streams and code are warmed up by so many tokens at most, and a tenth of them. */
const WARM_UP = 200

export function measureDelivery(name: ContenderName, readers: number, { tokens, rate }: Pace): Promise<Delivery> {
  return Rig.with(name, async rig => {
    await rig.ask('answer')
    await rig.load.call('open', { port: rig.other.port, path: '/answers/answer', count: readers })
    const deliver = async (count: number) => {
      await rig.load.call('clear')
      await rig.producer.remote.call('make', { tokens: count, rate })
      return rig.load.call('receive', { clients: readers, each: count })
    }
    await deliver(Math.min(WARM_UP, Math.ceil(tokens / 10)))
    const [begin, cpu, publishes] = [performance.now(), rig.cpu(), await rig.publishes()]
    const { p50, p99 } = await deliver(tokens)
    const seconds = (performance.now() - begin) / 1_000
    return {
      publishes: ((await rig.publishes()) - publishes) / seconds,
      cpu: (rig.cpu() - cpu) / tokens / readers,
      p50,
      p99,
    }
  })
}

/** What readers on another instance are told when the producer is killed in the middle. */
export interface Death {
  readonly reader: string
  /** Who comes afterwards. */
  readonly late: string
}

/** Tokens before the producer is killed; it would make many more. */
const BEFORE = 40
/** Milliseconds after which a reader who is told nothing is believed to wait for ever: three times the longest lease. */
const PATIENCE = 30_000

export function measureDeath(name: ContenderName, rate: number): Promise<Death> {
  return Rig.with(name, async rig => {
    await rig.ask('answer')
    const url = `http://127.0.0.1:${rig.other.port}/answers/answer`
    const response = await fetch(url)
    await rig.producer.remote.call('make', { tokens: 1e6, rate })
    const reading = new Reading(response)
    while (reading.tokens < BEFORE) await setTimeout(5)
    process.kill(rig.producer.remote.pid, 'SIGKILL')
    const killed = performance.now()
    const reader = await reading.outcome(killed)
    const asked = performance.now()
    const late = await fetch(url, { signal: AbortSignal.timeout(PATIENCE) }).then(
      answer => (answer.ok ? new Reading(answer).outcome(asked) : `status ${answer.status}`),
      () => 'no answer',
    )
    return { reader, late }
  })
}

/** Reads a response to its end. */
class Reading {
  #text = ''
  readonly #ended: Promise<string>

  constructor(response: Response) {
    this.#ended = this.#read(response).then(
      () => 'ended',
      () => 'cut off',
    )
  }

  get tokens(): number {
    return this.#text.split('event: token').length - 1
  }

  /** How it ends, and after how long. */
  async outcome(since: number): Promise<string> {
    const how = await Promise.race([this.#ended, setTimeout(PATIENCE, undefined)])
    if (how === undefined) return `nothing within ${PATIENCE / 1_000} s`
    const end = /^event: (?:done|interrupted)$/m.exec(this.#text)?.[0].slice('event: '.length)
    return `${end === undefined ? how : `\`${end}\``} after ${((performance.now() - since) / 1_000).toFixed(1)} s`
  }

  async #read({ body }: Response): Promise<void> {
    if (body === null) return
    for await (const chunk of body.pipeThrough(new TextDecoderStream())) this.#text += chunk
  }
}

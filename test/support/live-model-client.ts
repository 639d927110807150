import { createLive } from '../../lib/client/live-target.ts'
import { system, type Environment } from '../../lib/client/environment.ts'
import type { Live } from '../../lib/client/live.ts'
import { checkOptions, type ConnectOptions, type LoadReason } from '../../lib/client/options.ts'
import { Deferred } from './deferred.ts'
import type { ModelClientOptions } from './model-client.ts'
import { ModelRecord } from './model-record.ts'

/** The same as a `ModelClient`, by the library's own client: that comes back as it sees fit, and loads after each gap. */
export class LiveModelClient extends ModelRecord {
  readonly #server: () => string
  // Ends the request that is under way.
  #request = new AbortController()
  // While it stalls: nothing is read from its connection.
  #stalled: Deferred<void> | undefined
  // How often the state of each topic was loaded that has not been told a gap for it since: a gap that comes while a state is
  // being loaded is told behind the one before it, and both have been loaded for by then.
  readonly #loaded = new Map<string, number>()
  #live: Live | undefined
  #hasStarted = false

  constructor({ topics, log, server }: Omit<ModelClientOptions, 'pause'>) {
    super(topics, log)
    this.#server = server
  }

  connect(): void {
    const options: ConnectOptions = {
      load: why => {
        for (const topic of this.#loadedFor(why)) this.#count(topic, 1)
      },
      onError: error => this.complaints.push(String(error)),
      parse: data => data,
    }
    const env: Environment = { ...system, EventSource: undefined, fetch: this.#fetch }
    const live = createLive(
      env,
      checkOptions(() => `${this.#server()}?topics=${this.topics.join()}`, options, env),
      options,
    )
    live.on('message', (data, { id }) => this.take('message', String(data), id))
    live.on('cursor', (_, { id }) => this.take('cursor', '', id))
    live.on('gap', ({ topics, reason }) => {
      for (const topic of topics) {
        if (this.#count(topic, -1) < 0) this.complaints.push(`nothing loaded for ${topic}`)
      }
      this.gap(topics, reason)
    })
    this.#live = live
  }

  /** Breaks the connection off in the middle of whatever is on its way. */
  cut(): void {
    this.#request.abort()
  }

  stall(): void {
    this.#stalled ??= new Deferred()
  }

  resume(): void {
    this.#stalled?.resolve()
    this.#stalled = undefined
  }

  leave(): void {
    this.#live?.close()
  }

  // A gap during the first load repeats that one, which is for all topics.
  #loadedFor(why: LoadReason): readonly string[] {
    if ('topics' in why) return why.topics
    const isRepeated = this.#hasStarted
    this.#hasStarted = true
    return isRepeated ? this.topics : []
  }

  #count(topic: string, more: number): number {
    const count = (this.#loaded.get(topic) ?? 0) + more
    this.#loaded.set(topic, count)
    return count
  }

  readonly #fetch: Environment['fetch'] = async (url, init) => {
    this.#request = new AbortController()
    const signal = AbortSignal.any([init.signal, this.#request.signal])
    const response = await fetch(url, { ...init, signal })
    const { status, headers, body } = response
    if (status !== 200) this.complaints.push(`status ${status}`)
    const reader = body?.getReader()
    if (body === null || reader === undefined) return response
    const read = async () => {
      await this.#stalled?.promise
      return reader.read()
    }
    return { status, headers, body: { getReader: () => ({ read }), cancel: () => reader.cancel() } }
  }
}

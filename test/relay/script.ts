import { once } from 'node:events'
import type { EventInput } from 'koa-event-stream'
import { Deferred } from '../support/deferred.ts'

type Step = { readonly event: EventInput } | { readonly error: Error } | 'end'

/** A source that says what the test tells it to, when it is told. */
export class Script implements AsyncIterable<EventInput> {
  readonly signal: AbortSignal
  /** Resolves once it is returned from. */
  readonly returned: Promise<void>
  readonly #steps: Step[] = []
  readonly #returned = new Deferred<void>()
  #news = new Deferred<void>()

  constructor(signal: AbortSignal) {
    this.signal = signal
    this.returned = this.#returned.promise
  }

  /** Resolves to why the run was stopped. */
  async stopped(): Promise<unknown> {
    if (!this.signal.aborted) await once(this.signal, 'abort')
    return this.signal.reason
  }

  say(...texts: string[]): void {
    for (const data of texts) this.yield({ event: 'token', data })
  }

  /** Says something, whether that is an event or not. */
  yield(event: unknown): void {
    this.#step({ event: event as EventInput })
  }

  throw(error: Error): void {
    this.#step({ error })
  }

  end(): void {
    this.#step('end')
  }

  [Symbol.asyncIterator](): AsyncIterator<EventInput> {
    return {
      next: async () => {
        const step = await this.#next()
        if (step === 'end') return { done: true, value: undefined }
        if ('error' in step) throw step.error
        return { done: false, value: step.event }
      },
      return: async () => {
        this.#returned.resolve()
        return { done: true, value: undefined }
      },
    }
  }

  #step(step: Step): void {
    this.#steps.push(step)
    this.#news.resolve()
    this.#news = new Deferred()
  }

  async #next(): Promise<Step> {
    for (;;) {
      const step = this.#steps.shift()
      if (step !== undefined) return step
      await this.#news.promise
    }
  }
}

import type { ConnectOptions } from '../../lib/client/options.ts'
import { Progress } from '../support/progress.ts'

/** What a page has been told, in its order: `open stream`, `tick 5`. */
export class Seen {
  readonly all: string[] = []
  readonly #progress = new Progress()

  /** Options that have everything noted that is told of the connection. */
  readonly options = {
    onState: (state, reason) => this.note(`${state} ${reason}`),
    onError: error => this.note(`failed: ${error instanceof Error ? error.message : String(error)}`),
  } satisfies ConnectOptions

  /** Notes the events of a name. */
  readonly listen = (live: { on(name: string, listener: (data: unknown) => void): unknown }, name = 'tick'): void => {
    live.on(name, data => this.note(`${name} ${JSON.stringify(data)}`))
  }

  readonly note = (what: string): void => {
    this.all.push(what)
    this.#progress.announce()
  }

  /** What begins with that word. */
  of(word: string): string[] {
    return this.all.filter(what => what.startsWith(word)).map(what => what.slice(word.length).trim())
  }

  /** Waits until something has been told so many times, once by default. */
  async until(what: string, times = 1): Promise<void> {
    await this.#progress.until(
      () => (this.all.filter(one => one === what).length >= times ? true : undefined),
      () => `"${what}" was not told ${times} times, but: ${this.all.join(', ')}`,
    )
  }
}

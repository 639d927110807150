import { Progress } from '../support/progress.ts'

/** Something that a page's script saw of its event stream. */
export interface Observation {
  /** The event's name; `open`, `lost` (it will come back) or `closed` (it will not) for the connection's own. */
  readonly name: string
  readonly data?: string | undefined
  /** The id that the client would resume from. */
  readonly id?: string | undefined
}

/** An event stream as a client sees it that reads, reconnects and resumes by itself. */
export class ObservedStream {
  /** All that was seen so far, whether `next` has passed it or not. */
  readonly observations: Observation[] = []
  readonly #progress = new Progress()
  #passed = 0

  get names(): string[] {
    return this.observations.map(({ name }) => name)
  }

  readonly observe = (observation: Observation): void => {
    this.observations.push(observation)
    this.#progress.announce()
  }

  /** All observations of that name, whether `next` has passed them or not. */
  all(name: string): Observation[] {
    return this.observations.filter(observation => observation.name === name)
  }

  /** Goes on to the next observation of that name. */
  next(name: string): Promise<Observation> {
    return this.#progress.until(
      () => {
        const found = this.observations.findIndex((one, index) => index >= this.#passed && one.name === name)
        if (found === -1) return undefined
        this.#passed = found + 1
        return this.observations[found]
      },
      () => `"${name}" was not seen. So far: ${JSON.stringify(this.observations)}`,
    )
  }
}

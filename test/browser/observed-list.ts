import { ObservedStream, type Observation } from './observed-stream.ts'

/** A stream of numbers, and the list that its page shows of them. */
export class ObservedList {
  readonly stream = new ObservedStream()
  readonly #since = new Map<number, number>()
  /** What the page shows. */
  numbers: readonly number[] = []

  readonly observe = (observation: Observation): void => {
    const { name, data = '' } = observation
    if (name === 'shown') this.#show(data.split(' ').filter(Boolean).map(Number))
    this.stream.observe(observation)
  }

  /** Waits until the list has that number, and answers since when, of `performance.now()`. */
  async shows(number: number): Promise<number> {
    while (true) {
      const since = this.#since.get(number)
      if (since !== undefined) return since
      await this.stream.next('shown')
    }
  }

  #show(numbers: readonly number[]): void {
    this.numbers = numbers
    for (const number of numbers) if (!this.#since.has(number)) this.#since.set(number, performance.now())
  }
}

/**
 * A stream's position in the log: for each of its topics, the `seq` up to which its client has the events. While a
 * stream is live its topics share one position, so that a single number is stored.
 */
export class TopicCursors {
  #topics: string[] = []
  // The position of all topics that are not in `#ahead`.
  #floor = -1
  // The positions of topics that are further.
  #ahead: Map<string, number> | undefined

  get topics(): readonly string[] {
    return this.#topics
  }

  has(topic: string): boolean {
    return this.#topics.includes(topic)
  }

  /** The `seq` up to which the client has the events of a topic. */
  placeOf(topic: string): number {
    return Math.max(this.#floor, this.#ahead?.get(topic) ?? -1)
  }

  /** Whether the cursor of a topic is before an event. */
  isBefore(seq: number, topic: string): boolean {
    return seq > this.#floor && (this.#ahead === undefined || seq > this.placeOf(topic))
  }

  /** Adds a topic, if it is missing, at the shared position. */
  add(topic: string): void {
    if (!this.has(topic)) this.#topics.push(topic)
  }

  /** Removes a topic. Without topics the position is reset: such a stream is not told of a new epoch. */
  delete(topic: string): void {
    this.#topics = this.#topics.filter(other => other !== topic)
    if (this.#topics.length === 0) this.restart(-1)
    else this.#ahead?.delete(topic)
  }

  /** Advances one topic to a position. */
  advance(topic: string, seq: number): void {
    if (seq <= this.placeOf(topic)) return
    if (this.#topics.length === 1) {
      this.#floor = seq
      return
    }
    this.#ahead ??= new Map()
    this.#ahead.set(topic, seq)
  }

  /**
   * Advances all topics to a position. None goes back: the known position of the log may be before an event that
   * history already has.
   */
  moveTo(seq: number): void {
    if (this.#topics.length === 0) return
    this.#floor = Math.max(this.#floor, seq)
    if (this.#ahead === undefined) return
    for (const [topic, place] of this.#ahead) if (place <= seq) this.#ahead.delete(topic)
    if (this.#ahead.size === 0) this.#ahead = undefined
  }

  /** Sets all topics to a position, even if they were further: the log has a new epoch. */
  restart(seq: number): void {
    this.#floor = seq
    this.#ahead = undefined
  }
}

/**
 * A stream's place in the log: for each of its topics the `seq` up to which its client has been brought. While a stream is
 * live its topics share one place, so that a number is all that is kept.
 */
export class TopicCursors {
  #topics: string[] = []
  // No topic is before this place.
  #floor = -1
  // Topics that are further.
  #ahead: Map<string, number> | undefined

  get topics(): readonly string[] {
    return this.#topics
  }

  has(topic: string): boolean {
    return this.#topics.includes(topic)
  }

  /** The `seq` up to which the client has been brought on a topic. */
  placeOf(topic: string): number {
    return Math.max(this.#floor, this.#ahead?.get(topic) ?? -1)
  }

  /** Whether the client has not been brought up to an event yet. */
  isBefore(seq: number, topic: string): boolean {
    return seq > this.#floor && (this.#ahead === undefined || seq > this.placeOf(topic))
  }

  /** Adds a topic, if it is not there, without a place of its own. */
  add(topic: string): void {
    if (!this.has(topic)) this.#topics.push(topic)
  }

  /** Takes a topic away. Without any the place is forgotten: nobody tells such a stream that the log has begun anew. */
  delete(topic: string): void {
    this.#topics = this.#topics.filter(other => other !== topic)
    if (this.#topics.length === 0) this.restart(-1)
    else this.#ahead?.delete(topic)
  }

  /** Brings one topic up to a place. */
  advance(topic: string, seq: number): void {
    if (seq <= this.placeOf(topic)) return
    if (this.#topics.length === 1) {
      this.#floor = seq
      return
    }
    this.#ahead ??= new Map()
    this.#ahead.set(topic, seq)
  }

  /** Brings all topics up to a place. None goes back: a log that holds an event of several topics may stand before it. */
  moveTo(seq: number): void {
    if (this.#topics.length === 0) return
    this.#floor = Math.max(this.#floor, seq)
    if (this.#ahead === undefined) return
    for (const [topic, place] of this.#ahead) if (place <= seq) this.#ahead.delete(topic)
    if (this.#ahead.size === 0) this.#ahead = undefined
  }

  /** Puts all topics to a place, also where they were further: the log has begun anew. */
  restart(seq: number): void {
    this.#floor = seq
    this.#ahead = undefined
  }
}

/** Who listens to what, for contenders that have no such thing of their own. */
export class Audience<Member> {
  readonly #topics = new Map<string, Set<Member>>()
  readonly #members = new Set<Member>()

  join(topics: readonly string[], member: Member): void {
    this.#members.add(member)
    for (const topic of topics) {
      const members = this.#topics.get(topic)
      if (members === undefined) this.#topics.set(topic, new Set([member]))
      else members.add(member)
    }
  }

  leave(topics: readonly string[], member: Member): void {
    this.#members.delete(member)
    for (const topic of topics) this.#topics.get(topic)?.delete(member)
  }

  of(topic: string): Iterable<Member> {
    return this.#topics.get(topic) ?? []
  }

  /** Calls for every member, every now and then. */
  beat(interval: number | undefined, write: (member: Member) => void): void {
    if (interval === undefined) return
    setInterval(() => {
      for (const member of this.#members) write(member)
    }, interval)
  }
}

/** Frames as the simplest server makes them, with ids that count. */
export function frames(): (data: string) => Buffer {
  let id = 0
  return data => Buffer.from(`id: ${(id += 1)}\ndata: ${data}\n\n`)
}

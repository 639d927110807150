/** The first `most` of a crowd in an order, found without sorting all of it. */
export class Least<Item> {
  readonly items: Item[] = []
  readonly #most: number
  readonly #compare: (a: Item, b: Item) => number

  constructor(most: number, compare: (a: Item, b: Item) => number) {
    this.#most = most
    this.#compare = compare
  }

  /** Whether an item would be among them. */
  takes(item: Item): boolean {
    const last = this.items.at(-1)
    return last === undefined || this.items.length < this.#most || this.#compare(item, last) < 0
  }

  add(item: Item): void {
    if (!this.takes(item)) return
    const at = this.items.findIndex(other => this.#compare(item, other) < 0)
    this.items.splice(at === -1 ? this.items.length : at, 0, item)
    if (this.items.length > this.#most) this.items.pop()
  }
}

import type { Shelf, Shelves } from './shelf.ts'

/** Values in this process's memory: gone with it, and unknown to any other. */
export class MemoryShelves implements Shelves {
  shelf<Value>(): Shelf<Value> {
    const values = new Map<string, Value>()
    return {
      get: key => Promise.resolve(values.get(key)),
      update: (key, change) => {
        const value = change(values.get(key))
        values.set(key, value)
        return Promise.resolve(value)
      },
    }
  }

  close(): void {
    // There is nothing to let go of.
  }
}

import type { Shelf, Shelves } from './shelf.ts'

/** Values in this process's memory: gone with it, and unknown to any other. */
export class MemoryShelves implements Shelves {
  shelf<Value>(_name: string, ttl = Infinity): Shelf<Value> {
    const entries = new Map<string, { readonly value: Value; readonly until: number }>()
    return {
      get: key => {
        forgetOld(entries)
        return Promise.resolve(entries.get(key)?.value)
      },
      update: (key, change) => {
        forgetOld(entries)
        const value = change(entries.get(key)?.value)
        if (value !== undefined) {
          entries.delete(key)
          entries.set(key, { value, until: Date.now() + ttl })
        }
        return Promise.resolve(value)
      },
    }
  }
}

// All of a shelf are kept equally long, so that the oldest come first.
function forgetOld(entries: Map<string, { readonly until: number }>): void {
  for (const [key, { until }] of entries) {
    if (until > Date.now()) return
    entries.delete(key)
  }
}

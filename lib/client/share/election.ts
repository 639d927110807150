import type { Locks } from '../environment.ts'

/** Who leads: whoever holds the lock. */
export interface Election {
  /** Waits for its turn; or takes the lock from whoever holds it. */
  stand(isBySteal?: boolean): void
  /** Gives the lock up, or the wait for it. */
  withdraw(): void
}

export interface Candidate {
  /** Leads from now on. */
  elected(): void
  /** Another one has taken the lock. */
  deposed(): void
  /** There are no locks for this page. */
  refused(): void
}

export function createElection(locks: Locks, key: string, candidate: Candidate): Election {
  let current = new AbortController()

  const stand = async (isBySteal = false): Promise<void> => {
    current.abort()
    const { signal } = (current = new AbortController())
    const hold = (): Promise<void> | undefined => {
      // The wait was given up as it ended.
      if (signal.aborted) return undefined
      candidate.elected()
      return new Promise(resolve => signal.addEventListener('abort', () => resolve()))
    }
    try {
      await locks.request(key, isBySteal ? { steal: true } : { signal }, hold)
    } catch (error) {
      if (signal.aborted) return
      if (error instanceof DOMException && error.name === 'AbortError') candidate.deposed()
      else candidate.refused()
    }
  }

  return {
    stand: isBySteal => void stand(isBySteal),
    withdraw: () => current.abort(),
  }
}

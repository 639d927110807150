import type { Locks } from '../environment.ts'

/** Leader election: the holder of the lock leads. */
export interface Election {
  /** Waits for the lock, or steals it. */
  stand(isBySteal?: boolean): void
  /** Releases the lock, or stops waiting for it. */
  withdraw(): void
}

export interface Candidate {
  /** This tab now leads. */
  elected(): void
  /** Another tab has taken the lock. */
  deposed(): void
  /** Locks are unavailable to this page. */
  refused(): void
}

export function createElection(locks: Locks, key: string, candidate: Candidate): Election {
  let current = new AbortController()

  const stand = async (isBySteal = false): Promise<void> => {
    current.abort()
    const { signal } = (current = new AbortController())
    const hold = (): Promise<void> | undefined => {
      // The wait was cancelled just as the lock was granted.
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

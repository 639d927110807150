import type { Cluster, Redis } from 'ioredis'
import type { Clock } from '../../clock.ts'
import { deadline } from '../../deadline.ts'
import { isCluster } from './client.ts'

/** A deadline measured from the last byte received. */
export interface Patience {
  readonly clock: Clock
  /** Milliseconds without a byte. */
  readonly ms: number
}

/**
 * Returns the reply as long as Redis keeps sending: a reply of many megabytes, or one behind a burst of messages, may
 * take long on a slow link without a failure.
 */
export async function whileBytesCome<T>(
  { clock, ms }: Patience,
  client: Redis | Cluster,
  answer: PromiseLike<T>,
): Promise<T> {
  let stop: () => void = () => undefined
  const silence = new Promise<never>((_, reject) => {
    let seen = bytesOf(client)
    const look = (): void => {
      stop = deadline(clock, ms, () => {
        const now = bytesOf(client)
        if (now === seen) reject(new Error(`Redis sent nothing for ${String(ms)} ms`))
        else look()
        seen = now
      })
    }
    look()
  })
  try {
    return await Promise.race([answer, silence])
  } finally {
    stop()
  }
}

function bytesOf(client: Redis | Cluster): number {
  const nodes = isCluster(client) ? client.nodes() : [client]
  return nodes.reduce((sum, node) => sum + bytesRead(node), 0)
}

// Without a socket, or one that does not count bytes, it is a plain deadline.
function bytesRead({ stream }: { readonly stream?: { readonly bytesRead?: number } }): number {
  return stream?.bytesRead ?? 0
}

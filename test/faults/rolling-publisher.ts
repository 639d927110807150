import { setTimeout as delay } from 'node:timers/promises'

/** Publishes again and again, with so many milliseconds in between, until told to stop. */
export async function publishSteadily(
  publish: () => Promise<unknown>,
  pace: number,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await publish()
    await delay(pace)
  }
}

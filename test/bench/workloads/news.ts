import type { Plan } from '../plan.ts'

const BYTES = 150

/** Events of 150 bytes to one topic, so many a second. */
export function news(seconds: number, rate: number): Plan {
  return { seconds, parts: [{ topics: ['news'], each: Math.round(seconds * rate), lane: 0, data: BYTES }] }
}

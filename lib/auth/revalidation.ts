import { duration } from '../options.ts'
import type { Revalidation } from './authenticator.ts'

/** The default interval between revalidations of an open stream: 30 seconds, in milliseconds. */
export const DEFAULT_REVALIDATE = 30_000
/** How long revalidation may keep failing before the stream is closed: 2 minutes, in milliseconds. */
export const DEFAULT_GRACE = 120_000

/** Options of authenticators that revalidate, in milliseconds. */
export interface RevalidationOptions {
  readonly revalidate?: number
  readonly grace?: number
}

/** @throws {TypeError} that names the option that is wrong */
export function checkRevalidationPace(options: RevalidationOptions): Pick<Revalidation, 'interval' | 'grace'> {
  return {
    interval: duration('revalidate', options.revalidate, { default: DEFAULT_REVALIDATE }),
    grace: duration('grace', options.grace, { min: 0, default: DEFAULT_GRACE }),
  }
}

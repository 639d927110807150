import type { Environment } from './environment.ts'
import { APPLICATION } from './limits.ts'

/**
 * Calls a function of the application, which may throw, reject, hang or return late. Once the signal is aborted its
 * result is ignored.
 *
 * @throws what the function throws, or a timeout error that names it, as a rejection
 */
export async function bounded<T>(
  env: Environment,
  what: string,
  signal: AbortSignal,
  call: () => Promise<T>,
): Promise<T> {
  let cancel = (): void => undefined
  const late = new Promise<never>((_, reject) => {
    cancel = env.after(APPLICATION, () => reject(new Error(`\`${what}\` took more than 30 s`)))
    signal.addEventListener('abort', cancel)
  })
  return Promise.race([call(), late]).finally(cancel)
}

/** Calls a function of the application, and reports what it throws or rejects with. */
export function safely(call: () => unknown, failed: (error: unknown) => void): void {
  void (async () => call())().catch(failed)
}

import type { Environment } from './environment.ts'

/**
 * Calls a function of the application, which may throw, reject, hang or answer too late. Its signal is aborted when the
 * time is over, or `stop` is.
 *
 * @throws what the function throws, or an error that names it, as a rejection
 */
export async function bounded<T>(
  env: Environment,
  { what, ms, stop }: { what: string; ms: number; stop: AbortSignal },
  call: (signal: AbortSignal) => T | Promise<T>,
): Promise<T> {
  const calling = new AbortController()
  const abort = (): void => calling.abort()
  let cancel = abort
  stop.addEventListener('abort', abort)
  try {
    const late = new Promise<never>((_, reject) => {
      cancel = env.after(ms, () => {
        reject(new Error(`\`${what}\` did not answer within ${ms} ms`))
        abort()
      })
    })
    return await Promise.race([call(calling.signal), late])
  } finally {
    cancel()
    stop.removeEventListener('abort', abort)
  }
}

/**
 * Whether an error only means that the signal was aborted: `throwIfAborted()` and `fetch` throw the signal's reason,
 * Node's own functions an `AbortError`.
 */
export function isAbortOf(signal: AbortSignal, error: unknown): boolean {
  if (!signal.aborted) return false
  return error === signal.reason || (error instanceof Error && error.name === 'AbortError')
}

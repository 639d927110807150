/**
 * Whether an error only says that its signal was aborted: what `throwIfAborted()` and `fetch` throw is the reason itself,
 * what Node's own functions throw is an `AbortError`.
 */
export function isAbortOf(signal: AbortSignal, error: unknown): boolean {
  if (!signal.aborted) return false
  return error === signal.reason || (error instanceof Error && error.name === 'AbortError')
}

/** A failure that the fuzz causes on purpose, and that the application may report. */
export class Prank extends Error {}

/** Whether a prank is at the bottom of an error. */
export function isPrank(error: unknown): boolean {
  if (error instanceof Prank) return true
  return error instanceof Error && isPrank(error.cause)
}

/** A failure that the fuzz causes on purpose, and that the application may report. */
export class Prank extends Error {
  override readonly name = 'Prank'
}

/** Whether a prank is at the bottom of an error. What hubs tell of is a copy, of which only the name is left. */
export function isPrank(error: unknown): boolean {
  return error instanceof Error && (error.name === 'Prank' || isPrank(error.cause))
}

/** Whether an id `<epoch>-<seq>` is of the same life of the log as another one, and not after it. */
export function isUpTo(id: string, mark: string): boolean {
  const at = mark.lastIndexOf('-') + 1
  // Ids that are none of the log's compare with nothing.
  return at > 1 && id.startsWith(mark.slice(0, at)) && Number(id.slice(at)) <= Number(mark.slice(at))
}

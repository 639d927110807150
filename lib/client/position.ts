/** Whether an id `<epoch>-<seq>` has the same epoch as another one, and is not after it. */
export function isUpTo(id: string, mark: string): boolean {
  const at = mark.lastIndexOf('-') + 1
  // Ids of other forms are not comparable.
  return at > 1 && id.startsWith(mark.slice(0, at)) && Number(id.slice(at)) <= Number(mark.slice(at))
}

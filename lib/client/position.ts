/** Whether an id `<epoch>-<seq>` is of the same life of the log as another one, and not after it. */
export function isUpTo(id: string, mark: string): boolean {
  const [epoch, seq] = parts(id)
  const [markEpoch, markSeq] = parts(mark)
  return epoch !== '' && epoch === markEpoch && seq <= markSeq
}

// Ids that are none of the log's compare with nothing.
function parts(id: string): [epoch: string, seq: number] {
  const dash = id.lastIndexOf('-')
  return dash > 0 ? [id.slice(0, dash), Number(id.slice(dash + 1))] : ['', NaN]
}
